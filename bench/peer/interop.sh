#!/usr/bin/env bash
# Whether the original libraries read what Fovea writes, and Fovea what they write, on the small Qwen2.5-VL.
#   bench/peer/interop.sh WORK [adapters|exports|optimizer|data ...]      all parts, if none is named; files and logs stay in WORK
# FOVEA_PEER_PYTHON names a Python that has torch, torchvision, transformers, peft, bitsandbytes, pyarrow and datasets (accelerate for bitsandbytes);
# checkouts of those that it lacks can be on PYTHONPATH. bench/results/2026-12-01-interop has the figures and says how that Python was made.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)"
HERE="$ROOT/bench/peer/interop"
[ $# -ge 1 ] || { sed -n 2,5p "${BASH_SOURCE[0]}" >&2; exit 2; }
mkdir -p "$1"
WORK="$(cd "$1" && pwd)"
shift
export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 GOLDEN="$WORK/golden"
peer() { "$ROOT/bench/peer/python" "$HERE/$1" "$WORK" "${@:2}"; }
fovea() { "$ROOT/fovea" "$@" >> "$WORK/fovea.log" 2>&1 || { echo "failed: fovea $*; the log is $WORK/fovea.log" >&2; return 1; }; }
# NAME and what else the evaluation is told; the numbers go to losses/NAME.json.
loss() { fovea eval "$WORK/run.yaml" output_dir="$WORK/none" --json "$WORK/losses/$1.json" "${@:2}"; }

# Every line of variants.txt is an adapter: trained here, read and written again by PEFT, and that read here.
adapters() {
  local name keys folder
  rm -rf "$WORK/adapters" "$WORK/peft"
  while read -r name keys; do
    # shellcheck disable=SC2086
    fovea train "$WORK/run.yaml" output_dir="$WORK/adapters/$name" $keys
    folder="$(echo "$WORK/adapters/$name"/*_converted)"
    if [ -d "$folder" ]; then
      mv "$folder" "$WORK/adapters/$name-converted"
      loss "$name-converted" --adapter "$WORK/adapters/$name-converted"
    fi
    loss "$name" --adapter "$WORK/adapters/$name"
  done < <(grep -v '^#' "$HERE/variants.txt")
  peer adapters.py write
  for folder in "$WORK"/peft/*; do loss "peft-$(basename "$folder")" --adapter "$folder"; done
  peer adapters.py compare
}

# Merged models in 32 and 16 bits and rounded ones, read by Transformers; rounded ones that it saved, read here.
exports() {
  local type kind folder
  rm -rf "$WORK/exports" "$WORK/quantised"
  fovea train "$WORK/run.yaml" output_dir="$WORK/trained"
  for type in float32 bfloat16 float16; do export_to "merged-$type" infer_dtype="$type"; done
  for kind in nf4 fp4; do
    export_to "$kind-double" export_quantization_bit=4 quantization_type="$kind"
    export_to "$kind-single" export_quantization_bit=4 quantization_type="$kind" double_quantization=false
  done
  peer exports.py write
  for folder in "$WORK"/exports/* "$WORK"/quantised/*; do
    loss "$(basename "$(dirname "$folder")")-$(basename "$folder")" --model "$folder"
  done
  peer exports.py compare
}
export_to() { fovea export "$WORK/export.yaml" --adapter "$WORK/trained" --out "$WORK/exports/$1" --force "${@:2}"; }

# The states that EightBitOriginalTests compares.
optimizer() { peer optimizer.py; }

data() {
  local path
  rm -rf "$WORK/data"
  peer data.py write
  loss data-json
  for path in "$WORK"/data/*; do loss "data-$(basename "$path")" dataset="$path"; done
  peer data.py compare
}

peer prepare.py
mkdir -p "$WORK/losses"
for part in "${@:-adapters exports optimizer data}"; do for one in $part; do "$one"; done; done
