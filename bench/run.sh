#!/usr/bin/env bash
# Times fcnx against PyTorch in turns; arguments go to bench/compare.py.
# Nothing else should run on the machine meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

bench/venv.sh
make --no-print-directory build
bin/fcnx plugins install cpu
exec .venv/bin/python bench/compare.py "$@"
