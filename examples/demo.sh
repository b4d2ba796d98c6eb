#!/usr/bin/env bash
# The main job: check an ordinary training, then one that forgets a seed: its line, the proof, the fix, and the page.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache # the runs of the demo are not kept
cd "$root"
mkdir -p runs

# Exit code 0 says identical, 1 diverged; anything else is not what this demo is about.
show_check() {
  local expected=$1 code=0
  shift
  printf '\n$ reproof check %s\n' "$*"
  reproof check "$@" || code=$?
  if [ "$code" -ne "$expected" ]; then
    echo "demo: expected exit code $expected, got $code" >&2
    exit 1
  fi
}

echo '1. An ordinary script, run twice in fresh processes: is every bit of the training the same?'
show_check 0 examples/digits/train.py

printf '\n2. A script that seeds Python, NumPy and PyTorch, and still differs: where, and which line is to blame?\n'
show_check 1 --html runs/demo.html examples/digits/train_augmented.py

printf '\nOpen runs/demo.html to look at it.\n'
