#!/usr/bin/env bash
# Makes the golden files of models/testdata/parity anew; see docs/parity.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

bench/venv.sh
exec .venv/bin/python bench/parity/golden.py --out models/testdata/parity
