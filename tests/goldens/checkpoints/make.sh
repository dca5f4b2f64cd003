#!/usr/bin/env bash
# Makes the checkpoints in this folder, and losses.json: what the same build learns when it goes on from them.
#   make.sh CHECKOUT [PYTHON]
# CHECKOUT is a work tree of commit 1454e90 (git worktree add ../old 1454e90), which is built here if it is not yet. PYTHON must have torch; without one,
# minimind_resume stays as it is. Everything is made in one folder with a fixed name, because checkpoints tell where their model lay.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
OLD="$(cd "${1:?a checkout of 1454e90}" && pwd)"
PYTHON="${2:-}"
[ "$(git -C "$OLD" rev-parse --short=7 HEAD)" = 1454e90 ] && [ -z "$(git -C "$OLD" status --porcelain)" ] || { echo "$OLD is not 1454e90, unchanged" >&2; exit 1; }
WORK=/tmp/fovea-checkpoints
rm -rf "$WORK"
mkdir -p "$WORK/data"
cd "$WORK"
cp -r "$HERE/../qwen2_5_vl_tiny/data" data/qwen
cp -r "$HERE/../minimind_c/data" data/minimind
python3 "$HERE/models.py" models
export OMP_NUM_THREADS=1
FULL="finetuning_type=full freeze_vision_tower=false freeze_multi_modal_projector=false weight_decay=0.1"
LORA="finetuning_type=lora lora_rank=4 lora_target=all lora_dropout=0.1"

train() { # RANKS ARGUMENT...
  local ranks="$1"
  shift
  if [ "$ranks" = 1 ]; then "$OLD/fovea" train "$@"; else NPROC_PER_NODE="$ranks" "$OLD/fovea" train "$@"; fi
}

: > cases
# make NAME CONFIG RANKS STEP OVERRIDE...: a run that keeps a checkpoint after STEP, and the same run again from there.
make() {
  local name="$1" config="$2" ranks="$3" step="$4"
  shift 4
  train "$ranks" "$HERE/$config" "output_dir=$WORK/made/$name" "save_steps=$step" "$@"
  resume "$name" "$config" "$ranks" "made/$name/checkpoint-$step" "$@"
}

# resume NAME CONFIG RANKS FROM OVERRIDE...
resume() {
  local name="$1" config="$2" ranks="$3" from="$4"
  shift 4
  train "$ranks" "$HERE/$config" "output_dir=$WORK/rest/$name" save_strategy=no "resume_from_checkpoint=$WORK/$from" "$@"
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$config" "$ranks" "$from" "$*" >> cases
}

# Words of FULL and LORA are arguments of their own.
# shellcheck disable=SC2086
{
  make lora qwen.yaml 1 3 $LORA
  make bf16 qwen.yaml 1 3 $LORA bf16=true
  make fp16 qwen.yaml 1 3 $LORA fp16=true
  make full qwen.yaml 1 3 $FULL
  for stage in 1 2 3; do
    make "zero$stage" qwen.yaml 2 3 $FULL gradient_accumulation_steps=2 "zero=$stage"
  done
  # All stages write the same bytes, so one checkpoint serves them.
  for stage in 2 3; do
    diff -r made/zero1/checkpoint-3 "made/zero$stage/checkpoint-3"
    rm -r "made/zero$stage"
    sed -i "s#made/zero$stage/#made/zero1/#" cases
  done
  make minimind minimind.yaml 1 5
  make minimind_fp16 minimind.yaml 1 5 fp16=true
}
if [ -n "$PYTHON" ]; then
  "$PYTHON" "$HERE/resume.py" made/minimind/checkpoint-5 models/minimind/encoder made/minimind_resume.pth
else
  cp "$HERE/made/minimind_resume.pth" made/
fi
resume minimind_resume minimind.yaml 1 made/minimind_resume.pth

# A checkpoint of MiniMind names the folder of its encoder as seen from itself: models and checkpoints keep their places to one another.
rm -rf "${HERE:?}/models" "${HERE:?}/made"
cp -r models "$HERE/"
cut -f 4 cases | sort -u | while read -r kept; do
  mkdir -p "$HERE/$(dirname "$kept")"
  cp -r "$kept" "$HERE/$kept"
done
python3 "$HERE/losses.py" "$("$OLD/fovea" env | sed -n 's/^export FOVEA_LIBTORCH_VERSION=//p')" > "$HERE/losses.json"
