#!/usr/bin/env bash
# Puts bench/requirements.txt, and any others that the arguments name, into .venv,
# which is made when there is none. PY names the Python to make it with. Where the
# requirements are already met, this neither downloads nor changes anything.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! [ -x .venv/bin/python ]; then
	"${PY:-python3}" -m venv .venv || {
		echo "bench/venv.sh: ${PY:-python3} cannot make a virtual environment; install its venv module, or name another Python in PY" >&2
		exit 1
	}
fi
files=()
for file in bench/requirements.txt "$@"; do
	files+=(-r "$file")
done
.venv/bin/python -m pip install --quiet --disable-pip-version-check "${files[@]}"
