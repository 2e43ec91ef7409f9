#!/usr/bin/env bash
# Draws the dashboard of the README anew: docs/dashboard.svg from the recorded run on
# CamVid that the golden screens are made of too, docs/pictures.svg from the run that
# `make train` leaves (CamVid's images are not ours to show).
set -euo pipefail
cd "$(dirname "$0")/.."

recorded=$(mktemp -d)
trap 'rm -rf "$recorded"' EXIT
mkdir "$recorded/camvid"
cp tui/testdata/camvid.jsonl "$recorded/camvid/events.jsonl"
cp recipes/camvid-narrow.toml "$recorded/camvid/config.toml"
export TZ=UTC
bin/fcnx status "$recorded/camvid" --at 1490 --size 40x120 --svg docs/dashboard.svg
bin/fcnx status runs/shapes-fcn8s --panel picture --size 22x100 --svg docs/pictures.svg
