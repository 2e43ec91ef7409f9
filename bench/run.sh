#!/usr/bin/env bash
# Times fcnx against PyTorch in turns: the paper's FCN-8s at three sizes, and the narrow
# one of recipes/camvid-narrow.toml. docs/benchmarks.md gets the tables; run it twice, and
# they say how far the two runs are apart. With arguments, which go to bench/compare.py,
# only what they say. Nothing else should run on the machine meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

bench/venv.sh
make --no-print-directory build
bin/fcnx plugins install cpu
compare() { .venv/bin/python bench/compare.py "$@"; }
if (($#)); then
	compare "$@"
else
	compare --doc docs/benchmarks.md
	echo
	compare --encoder vgg16_bn --width 16 --head 512 --classes 11 --shapes 8x192x256 --recipe recipes/camvid-narrow.toml \
		--out bench/results/narrow.json --doc docs/benchmarks.md
	echo
	bench/dashboard.py
	go test -run '^$' -bench 'Publish|Million|Tick|Follow|Columns' ./train/sink ./tui ./tui/feed ./tui/history
fi
