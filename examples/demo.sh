#!/usr/bin/env bash
# The main job: record a real training twice and compare; then without its seed, to see where the runs part.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$root/examples" "$work/examples"
cd "$work"

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

# Exit code 0 says identical, 1 diverged; anything else is not what this demo is about.
show_comparison() {
  local expected=$1 code=0
  shift
  show reproof compare "$@" || code=$?
  if [ "$code" -ne "$expected" ]; then
    echo "demo: expected exit code $expected, got $code" >&2
    exit 1
  fi
}

echo "1. The same script, twice, with its seed: are the batches the same?"
show reproof run -o runs/a examples/digits/train.py
show reproof run -o runs/b examples/digits/train.py
show_comparison 0 runs/a runs/b

printf '\n2. The same script without its seed: where do two runs part?\n'
show reproof run -o runs/c examples/digits/train.py --no-seed
show reproof run -o runs/d examples/digits/train.py --no-seed
show_comparison 1 runs/c runs/d
