#!/usr/bin/env bash
# bench/parity/run.sh golden  writes the golden files of other programs anew
# bench/parity/run.sh live    holds bin/fcnx to those programs
#
# PROTO names Caffe's src/caffe/proto/caffe.proto; without it no caffemodel is made.
# See docs/parity.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
PROTO=${PROTO:-}

# What writes golden files. The same versions of the libraries write the same bytes.
# (pth_files.py is not here: torch.save puts an id of chance into its files.)
golden=(
	"bench/parity/golden.py --out models/testdata/parity"
	"bench/jpeg/golden.py --out datasets/testdata"
	"bench/parity/torchvision_keys.py checkpoints/weights/testdata"
	"bench/parity/npz_files.py --out checkpoints/weights/npz/testdata"
	"${PROTO:+bench/parity/caffe_files.py --proto $PROTO --out checkpoints/weights/caffe/testdata}"
)
# What compares. Each prints what it found, and fails where a tolerance is missed.
live=(
	"bench/parity/live.py --fcnx bin/fcnx${PROTO:+ --proto $PROTO}"
	"bench/parity/onnx_check.py --fcnx bin/fcnx"
	"-m unittest discover -s bench/torch -p train_test.py"
)

case "${1:-}" in
golden) scripts=("${golden[@]}") ;;
live) scripts=("${live[@]}") ;;
*)
	echo "usage: bench/parity/run.sh golden|live" >&2
	exit 2
	;;
esac
bench/venv.sh bench/parity/requirements.txt

failed=0
for script in "${scripts[@]}"; do
	[ -n "$script" ] || continue
	echo "$script"
	# Split into words: none of them has a space in it.
	.venv/bin/python $script || failed=1
done
exit $failed
