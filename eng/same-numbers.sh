#!/usr/bin/env bash
# A renovation changes no number: runs the same small trainings with two checkouts and compares what they leave.
#   eng/same-numbers.sh OLD_CHECKOUT NEW_CHECKOUT [--quick] [--keep FOLDER]       from a work tree of the commit before: git worktree add ../old main
# Equal must be: weights and optimizer files to the byte, losses, norms and rates to the last digit, names of all files and keys of all JSON, exit codes, answers,
# numbers of eval, plan and tokenize, verbs and options of --help. Times, speeds and the words of messages are not compared; fovea_state.json, logs and
# --help may gain. Prints a line a case; exit code 1 where something differs. A case is a line of `cases` below. Needs python3 (its own library alone) and, on
# two cores, about five minutes (--quick: one and a half); each checkout is built by its own launcher first. Without --keep all that was made is removed.
set -uo pipefail
HERE="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)"
usage() { sed -n '2,8p' "$HERE/same-numbers.sh" >&2; exit 2; }
quick='' keep='' checkouts=()
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) quick=1 ;;
    --keep) keep="${2:?a folder}"; shift ;;
    -*) usage ;;
    *) checkouts+=("$(cd "$1" && pwd -P)") || usage ;;
  esac
  shift
done
[ "${#checkouts[@]}" = 2 ] || usage
OLD="${checkouts[0]}" NEW="${checkouts[1]}"
GOLDENS="$HERE/../tests/goldens"
for checkout in "$OLD" "$NEW"; do
  version="$("$checkout/fovea" --version)" || { echo "$checkout: not built" >&2; exit 2; }
  echo "$checkout: $version" >&2
done

if [ -n "$keep" ]; then
  mkdir -p "$keep"
  WORK="$(cd "$keep" && pwd -P)"
  [ -z "$(ls -A "$WORK")" ] || { echo "$WORK is not empty" >&2; exit 2; }
else
  WORK="$(mktemp -d)"
  trap 'rm -rf "$WORK"' EXIT
fi
# The choice of product kernels is pinned, for a measurement differs from minute to minute; one thread each, for both sides run at the same time.
export FOVEA_HALF_PRODUCTS=rule FOVEA_FLOAT_PRODUCTS=rule OMP_NUM_THREADS=1
unset FOVEA_THREADS RANK WORLD_SIZE NPROC_PER_NODE NNODES
python3 "$HERE/same-numbers.py" prepare "$GOLDENS" "$WORK/inputs" ${quick:+--quick} || exit 2
mkdir -p "$WORK/old" "$WORK/new"
ln -s ../inputs "$WORK/old/inputs"
ln -s ../inputs "$WORK/new/inputs"

qwen="train inputs/qwen.yaml"
minimind="train inputs/minimind.yaml"
full="finetuning_type=full freeze_multi_modal_projector=false"
lora="finetuning_type=lora lora_rank=4 lora_target=all"
cpm="train inputs/minicpm.yaml"

# One a line: NAME | RANKS | ARGUMENTS. A training writes out/NAME. Lines that begin with "+" are left out by --quick. Answers and numbers that go to standard
# output are compared where RANKS is "stdout" (to the byte) or "numbers" (those in it).
cases() {
  cat << CASES
lora_fp32 | 1 | $qwen $lora lora_dropout=0.1 save_steps=2 val_size=4 eval_strategy=steps eval_steps=2 plot_loss=true report_to=tensorboard
lora_resumed | 1 | $qwen $lora lora_dropout=0.1 save_steps=2 val_size=4 eval_strategy=steps eval_steps=2 resume_from_checkpoint=out/lora_fp32/checkpoint-2
lora_bf16 | 1 | $qwen $lora bf16=true use_rslora=true
lora_fp16 | 1 | $qwen $lora fp16=true
+ lora_whole_modules | 1 | $qwen $lora additional_target=lm_head weight_decay=0.1
packed | 1 | $qwen $lora per_device_train_batch_size=4 gradient_accumulation_steps=1 micro_batch_tokens=4096
+ recomputed | 1 | $qwen $lora recompute=always micro_batch_tokens=64 cache_vision_features=false
full_bf16 | 1 | $qwen $full bf16=true
+ full_vision | 1 | $qwen $full freeze_vision_tower=false warmup_ratio=0.1 loss_reduction=mean
freeze | 1 | $qwen finetuning_type=freeze freeze_trainable_layers=1 freeze_trainable_modules=mlp
+ zero1 | 2 | $qwen $full gradient_accumulation_steps=2 zero=1 bf16=true
zero2 | 2 | $qwen $lora gradient_accumulation_steps=2 zero=2 save_steps=2
zero3 | 2 | $qwen $full gradient_accumulation_steps=2 zero=3
+ zero3_offload | 2 | $qwen $full gradient_accumulation_steps=2 zero=3 offload=cpu bf16=true
+ zero2_resumed | 2 | $qwen $lora gradient_accumulation_steps=2 zero=2 save_steps=2 resume_from_checkpoint=out/zero2/checkpoint-2
minimind_pretrain | 1 | $minimind stage=pretrain freeze_llm=2 save_steps=2
minimind_sft | 1 | $minimind freeze_llm=0 gradient_accumulation_steps=2 val_size=2 eval_strategy=steps eval_steps=2
+ minimind_a | 1 | train inputs/minimind_a.yaml
+ minimind_a_fp16 | 1 | train inputs/minimind_a.yaml fp16=true
minimind_experts | 1 | $minimind model_name_or_path=inputs/minimind_experts freeze_llm=0 moe_aux=original max_seq_len=384
+ minimind_experts_fp16 | 1 | $minimind model_name_or_path=inputs/minimind_experts freeze_llm=1 fp16=true max_seq_len=384
+ minimind_zero2 | 2 | $minimind freeze_llm=0 zero=2
+ minimind_resume_file | 1 | $minimind model_name_or_path=inputs/minimind_experts freeze_llm=0 max_seq_len=384 num_train_epochs=2 max_steps=-1 resume_from_checkpoint=inputs/experts_resume.pth
minicpm_lora | 1 | $cpm finetuning_type=lora lora_target=$cpm_targets lora_rank=4 bf16=true
+ minicpm_full | 1 | $cpm finetuning_type=full freeze_vision_tower=false freeze_language_model=true
+ minicpm_v25_lora | 1 | $cpm model_name_or_path=inputs/minicpm_v25 llm_type=llama3 finetuning_type=lora lora_target=$cpm_targets lora_rank=4
+ minicpm_official | 2 | train --model_name_or_path inputs/minicpm_v26 --llm_type qwen --data_path inputs/minicpm.json --media_dir inputs/minicpm_images --do_train --bf16 true --tune_vision true --tune_llm false --model_max_length 2048 --max_slice_nums 4 --max_steps 2 --output_dir out/minicpm_official --save_steps 1000 --learning_rate 1e-3 --weight_decay 0.1 --adam_beta2 0.95 --lr_scheduler_type cosine --logging_steps 1 --deepspeed inputs/ds_config_zero3.json --use_cpu true
export_lora | 1 | export --model inputs/qwen --adapter out/lora_fp32 --out out/export_lora
export_config | 1 | export inputs/export.yaml export_dir=out/export_config
+ export_minimind | 1 | export --model out/minimind_sft --out out/export_minimind
eval_lora | numbers | eval inputs/qwen.yaml --adapter out/lora_fp32
+ eval_minimind | numbers | eval inputs/minimind.yaml --model out/minimind_sft
chat_lora | stdout | chat --model inputs/qwen --adapter out/lora_fp32 --template qwen2_vl --prompt What? --greedy --max-new-tokens 8 --cpu --image inputs/picture.png
+ chat_minimind | stdout | chat --model out/minimind_sft --prompt What? --greedy --max-new-tokens 8 --cpu --image inputs/picture.png
+ chat_minicpm | stdout | chat --model inputs/minicpm_v26 --adapter out/minicpm_lora --prompt What? --greedy --max-new-tokens 8 --cpu --image inputs/picture.png
tokenize | stdout | tokenize inputs/qwen inputs/text.txt --format plain
plan_qwen | numbers | plan inputs/qwen.yaml $lora --ranks 1,2,4 --card 24GiB --json out/plan_qwen.json
+ plan_minicpm | numbers | plan inputs/minicpm.yaml finetuning_type=full --ranks 1,2 --json out/plan_minicpm.json
data_check | numbers | data check inputs/qwen.yaml
bad_rows | 1 | data check inputs/qwen.yaml dataset=inputs/bad.json
refused_key | 1 | $qwen $lora no_such_key=1
refused_resume | 1 | $qwen $lora val_size=4 template=minimind3 resume_from_checkpoint=out/lora_fp32/checkpoint-2
no_model | 1 | $qwen $lora model_name_or_path=inputs/none
bad_loss | 1 | $qwen $lora learning_rate=1e30 lr_scheduler_type=constant
CASES
}
cpm_targets='llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)'

# one SIDE CHECKOUT NAME RANKS ARGUMENT...
one() {
  local side="$1" checkout="$2" name="$3" ranks="$4" code=0
  shift 4
  if [ "$1" = train ] && [[ "$*" != *--output_dir* ]]; then set -- "$@" "output_dir=out/$name"; fi
  (
    cd "$WORK/$side" && mkdir -p out seen || exit 99
    [ "$ranks" != 2 ] || export NPROC_PER_NODE=2
    exec timeout 170 "$checkout/fovea" "$@" < /dev/null
  ) > "$WORK/$side.stdout" 2> "$WORK/$side.stderr" || code=$?
  mv "$WORK/$side.stdout" "$WORK/$side/seen/$name.stdout"
  mv "$WORK/$side.stderr" "$WORK/$side/seen/$name.stderr"
  echo "$code" > "$WORK/$side/seen/$name.code"
}

both() {
  one old "$OLD" "$@" &
  one new "$NEW" "$@"
  wait
}

while IFS='|' read -r name ranks arguments; do
  if [ "${name#+}" != "$name" ]; then
    [ -z "$quick" ] || continue
    name="${name#+}"
  fi
  read -r name <<< "$name"
  read -r ranks <<< "$ranks"
  read -r -a words <<< "$arguments"
  began=$SECONDS
  both "$name" "$ranks" "${words[@]}"
  python3 "$HERE/same-numbers.py" compare "$WORK" "$name" "$ranks" "$((SECONDS - began))"
done < <(cases)

for side in old new; do
  if [ "$side" = old ]; then checkout="$OLD"; else checkout="$NEW"; fi
  python3 "$HERE/same-numbers.py" verbs "$checkout/fovea" > "$WORK/$side/seen/verbs.txt" &
  [ "$OLD" != "$NEW" ] || wait # an older launcher may not be started twice at once
done
wait
python3 "$HERE/same-numbers.py" compare-verbs "$WORK"
python3 "$HERE/same-numbers.py" summary "$WORK" "$SECONDS"
