#!/usr/bin/env bash
# Times fcnx against PyTorch in turns: the paper's FCN-8s at three sizes, in float32 and in
# bfloat16, the narrow one of recipes/camvid-narrow.toml, and what several devices gain.
# docs/benchmarks.md gets the tables; run it twice, and they say how far the two runs are
# apart. With arguments, which go to bench/compare.py, only what they say. Nothing else
# should run on the machine meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

# What can be asked is told without the hundreds of megabytes that a benchmark needs.
for argument; do
	case $argument in -h | --help) exec python3 bench/compare.py --help ;; esac
done

# Linux's free page reporting, of virtual machines.
reporting=/sys/module/page_reporting/parameters/page_reporting_order
if [ -r "$reporting" ] && order=$(<"$reporting") && ((order >= 0 && order < 11)); then
	echo "bench/run.sh: this machine gives its free memory back to its host, and is slow to get it again: times of programs that free much vary by a third. As root: echo 11 >$reporting" >&2
fi

bench/venv.sh
make --no-print-directory build
bin/fcnx plugins install cpu
compare() { .venv/bin/python bench/compare.py "$@"; }
if (($#)); then
	compare "$@"
else
	compare --parts checkpoint,update --doc docs/benchmarks.md
	echo
	compare --encoder vgg16_bn --width 16 --head 512 --classes 11 --shapes 8x192x256 --parts data,eval,dashboard \
		--out bench/results/narrow.json --doc docs/benchmarks.md
	echo
	compare --precision bfloat16 --shapes 1x320x320 --parts none --out bench/results/bfloat16.json --doc docs/benchmarks.md
	echo
	.venv/bin/python bench/scaling.py --doc docs/benchmarks.md
fi
