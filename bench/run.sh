#!/usr/bin/env bash
# Times fcnx against PyTorch in turns: the paper's FCN-8s at 320x320, and the narrow
# one of recipes/camvid-narrow.toml. With arguments, which go to bench/compare.py,
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
	compare
	echo
	compare --encoder vgg16_bn --width 16 --head 512 --classes 11 --size 192x256 --batch 8 --out bench/results/narrow.json
	echo
	bench/dashboard.py
	go test -run '^$' -bench 'Publish|Million|Tick|Follow|Columns' ./train/sink ./tui ./tui/feed ./tui/history
fi
