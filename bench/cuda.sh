#!/usr/bin/env bash
# All that is to be known of fcnx on an NVIDIA GPU, in a row: the plugin, every test that
# computes, how far CPU and GPU are apart, fcnx against PyTorch, and half an hour of FCN-8s
# on CamVid at full size from scratch. docs/benchmarks.md gets the tables.
#
#   bench/cuda.sh DIR [ARGUMENT of fcnx train]...     DIR: CamVid as in the SegNet tutorial
#
# MINUTES is how long it trains (30). Without a GPU nothing is fetched, and the exit code is
# 5, as that of fcnx.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${1:?"bench/cuda.sh: which CamVid? bench/cuda.sh DIR"}
shift
if [[ -z $(compgen -G '/dev/nvidia[0-9]*') && ! -e /dev/dxg ]]; then
	echo "bench/cuda.sh: there is no GPU on this machine (no /dev/nvidia0, no /dev/dxg), so nothing was fetched or run" >&2
	exit 5
fi
if ! [[ -d $data/train && -d $data/trainannot ]]; then
	echo "bench/cuda.sh: $data is not CamVid: it has no train and trainannot" >&2
	exit 4
fi
say() { printf '\n== %s\n' "$*"; }

say plugin
make --no-print-directory build
bin/fcnx plugins install cpu
bin/fcnx plugins install cuda
bin/fcnx doctor

failed=0
export FCNX_TEST_BACKEND=cuda
say tests
go test -timeout 60m ./device/... ./models ./train ./predict ./cmd/fcnx || failed=1
say CPU against GPU
go test -timeout 30m -count 1 -v -run 'TestCPUAndCUDA' ./models | grep -v '^=== ' || failed=1
unset FCNX_TEST_BACKEND

say PyTorch
bench/venv.sh
.venv/bin/python bench/compare.py --device cuda --doc docs/benchmarks.md || failed=1

# The recipe of the CPU's table, at the paper's width and the images' own size. A run that
# is not through when its time is over is stopped in good order, which is exit code 130.
say CamVid
run=runs/cuda-camvid-$(date +%Y%m%d-%H%M%S)
timeout --foreground --preserve-status -s INT "${MINUTES:-30}m" bin/fcnx train --config recipes/camvid-narrow.toml --data "camvid:$data" --backend cuda \
	--set model.width=64 --set model.head=4096 --set augment.resize= --epochs 400 --set eval.every_epochs=5 \
	--out "${run%/*}" --name "${run##*/}" --ui plain "$@" || [[ $? == 130 ]] || failed=1
.venv/bin/python bench/curve.py "$run" --doc docs/benchmarks.md --name cuda-camvid || failed=1
exit $failed
