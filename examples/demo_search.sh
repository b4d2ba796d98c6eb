#!/usr/bin/env bash
# The second job: search, keep the best trial as a bundle, train it again, and see what a changed surrounding does.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
project=$root/examples/optuna_regression
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
trials=${1:-20}

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

echo "1. A search of $trials trials; the best one is kept as a bundle."
show python -W ignore "$project/scripts/optimize.py" --trials "$trials"
show reproof bundle show optuna_best

printf '\n2. Train it again in a fresh process: are all bits the same?\n'
show reproof reproduce --project "$project" optuna_best

printf '\n3. What may differ? Fresh seeds, and one weight moved by one ulp.\n'
show reproof replicate --project "$project" --replicates 6 optuna_best

printf '\n4. The same with other instructions of the processor: which difference is it, and does it matter?\n'
code=0
show env ATEN_CPU_CAPABILITY=default reproof reproduce --project "$project" optuna_best || code=$?
if [ "$code" -ne 0 ] && [ "$code" -ne 2 ]; then
  echo "demo: expected a verdict that is not 'not-reproduced', got exit code $code" >&2
  exit 1
fi
