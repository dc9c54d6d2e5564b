#!/usr/bin/env bash
# parallax against its peers on the same weights (candle: on BERT of the same sizes) and the same
# sentences, in one run: each engine in turn, several rounds, medians and ratios as a table.
#
#     benches/compare.sh [SENTENCES.jsonl] [ROUNDS] [THREADS]
#
# SENTENCES are JSON lines with `text`; without them, those of the demonstration corpus. It needs
# Python with what benches/peers/requirements.txt names; PYTHON says which.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sentences=${1:-labels/demo.jsonl}
rounds=${2:-5}
threads=${3:-$(nproc)}
python=${PYTHON:-python3}
bundle=${BUNDLE:-models/default}
target=${CARGO_TARGET_DIR:-target}
results=$target/peers/results.jsonl
mkdir -p "$target/peers"
: >"$results"

cargo build --release --bench rate --quiet
rate=$(cargo build --release --bench rate --message-format json --quiet |
  "$python" -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "rate":
        print(message["executable"])')

CARGO_TARGET_DIR=$target/peers/candle cargo build --release --quiet \
  --manifest-path benches/peers/candle/Cargo.toml
candle=$target/peers/candle/release/candle-peer

ours() { "$rate" "$1" "$bundle" "$sentences" --threads "$threads" >>"$results"; }
peer() {
  "$python" benches/peers/encode.py "$1" "$bundle" "$sentences" --threads "$threads" \
    --cache "$target/peers" 2>/dev/null | tail -n 1 >>"$results"
}
for ((round = 1; round <= rounds; round++)); do
  echo "round $round of $rounds" >&2
  ours f32
  peer onnx
  ours int8
  peer onnx-int8
  peer pytorch
  RAYON_NUM_THREADS=$threads "$candle" "$bundle" "$sentences" >>"$results"
done
"$python" benches/peers/table.py "$results"
