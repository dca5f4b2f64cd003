#!/usr/bin/env bash
# Builds the bridge against the PyTorch at hand and measures on its CUDA card: parity, then Qwen2.5-VL-7B with LoRA at true dimensions.
#   eng/gpu-bench.sh                     everything; results go to bench/results/DATE-CARD/
#   eng/gpu-bench.sh --dry-run           all that needs no card: bridge, kernels on the CPU, 7B on shapes alone, operations and bytes by count
#   eng/gpu-bench.sh --pack OUT.tar.gz   what a machine without .NET needs, in one archive; unpack it there and start eng/gpu-bench.sh in it
#   --steps N (10)  --no-parity  --no-peer  --out FOLDER
# LIBTORCH names another libtorch than that of python3; CUDA_HOME a toolkit whose nvcc is not on PATH.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
. "$ROOT/eng/common.sh"
. "$ROOT/eng/cpus.sh"
. "$ROOT/eng/setup.sh"
. "$ROOT/eng/build.sh"

steps=10 dry='' parity=1 peer=1 out='' pack=''
while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=1 ;;
    --steps | --out | --pack)
      [ $# -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    --no-parity) parity='' ;;
    --no-peer) peer='' ;;
    *) die "unknown option $1" "The options stand at the top of eng/gpu-bench.sh." ;;
  esac
  shift
done

# The archive: sources of the bridge, tests and program as built, the .NET runtime (no SDK), the image codecs.
make_pack() {
  local target stage name
  target="$(readlink -f "$(dirname "$1")")/$(basename "$1")"
  setup
  load_all
  require_dotnet
  build Fovea.slnx
  stage="$(mktemp -d)"
  # shellcheck disable=SC2064 # expanded now
  trap "rm -rf '$stage'" EXIT
  mkdir -p "$stage/fovea/managed" "$stage/fovea/codecs" "$stage/fovea/dotnet/shared/Microsoft.NETCore.App" "$stage/fovea/tests"
  cp -r "$ROOT/native" "$ROOT/eng" "$ROOT/bench" "$ROOT/LICENSE" "$stage/fovea/"
  cp -r "$ROOT/tests/goldens" "$stage/fovea/tests/"
  cp -r "$ROOT/artifacts/bin/Fovea.Tests/release/." "$stage/fovea/managed/"
  cp -rL "$DOTNET_HOME/host" "$DOTNET_HOME/dotnet" "$stage/fovea/dotnet/"
  cp -rL "$DOTNET_HOME/shared/Microsoft.NETCore.App/$DOTNET_VERSION" "$stage/fovea/dotnet/shared/Microsoft.NETCore.App/"
  find "$stage/fovea/managed" -name '*.pdb' -delete
  for name in libturbojpeg.so.0 libjpeg.so.62 libwebp.so.7 libwebpdemux.so.2 libsharpyuv.so.0; do
    [ -e "$FOVEA_CODECS/$name" ] && cp -L "$FOVEA_CODECS/$name" "$stage/fovea/codecs/"
  done
  tar -C "$stage" -czf "$target" fovea
  say "$target: $(($(stat -c %s "$target") / 1048576)) MiB"
}

# Sets MANAGED (folder of fovea.dll and Fovea.Tests.dll) and exports what managed code is told.
prepare() {
  local new="$STATE/gpu-environment"
  load_all
  mkdir -p "$STATE"
  check_platform
  export_threads
  find_libtorch
  if [ -x "$ROOT/dotnet/dotnet" ]; then
    DOTNET_SYSTEM="$ROOT/dotnet/dotnet" DOTNET_HOME="$ROOT/dotnet" MANAGED="$ROOT/managed" CODECS="$ROOT/codecs"
    [ -z "$TORCH_PREFIX" ] || die "the archive serves beside PyTorch or another libtorch of this system; none was found, or no compiler for it." \
      "Install both (pip install torch; apt-get install g++), or use a checkout with the .NET SDK."
    DOTNET="$DOTNET_SYSTEM"
    export FOVEA_ROOT="$ROOT" LD_LIBRARY_PATH="$CODECS${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  else
    require_dotnet
    find_codecs
    prepare_host
    MANAGED="$ROOT/artifacts/bin/Fovea.Tests/release"
  fi
  prepare_bridge
  say "libtorch $TORCH_VERSION in $TORCH_ROOT; CUDA: ${TORCH_CUDA:-0}; nvcc: ${NVCC:-none}; CUDA headers: ${CUDA_HEADERS:-none}"
  environment > "$new"
  # shellcheck disable=SC1090
  . "$new"
  [ -x "$ROOT/dotnet/dotnet" ] || build Fovea.slnx
}

fovea() { "$FOVEA_DOTNET" "$MANAGED/fovea.dll" "$@"; }

tests() { "$FOVEA_DOTNET" "$MANAGED/Fovea.Tests.dll" -noLogo -noColor "$@"; }

# step TITLE COMMAND...: its output goes to the screen and to a file; a failure is remembered, and the rest goes on.
failures=()
step() {
  local title="$1" name
  shift
  name="$(printf '%s' "$title" | tr -cs 'A-Za-z0-9\n' '-')"
  printf '\n== %s\n' "$title"
  "$@" 2>&1 | tee "$out/$name.log" || failures+=("$title")
}

parity_classes=(-class Fovea.Tests.Unit.Tensors.KernelTests -class 'Fovea.Tests.Unit.Devices.*'
  -class Fovea.Tests.Parity.Qwen25Vl.ForwardTests -class Fovea.Tests.Parity.Qwen25Vl.TrainingTests)

if [ -n "$pack" ]; then
  make_pack "$pack"
  exit
fi

prepare
card="$(nvidia-smi --query-gpu=name --format=csv,noheader 2> /dev/null | head -n 1 || true)"
if [ -z "$dry" ] && { [ -z "$card" ] || [ -z "$TORCH_CUDA" ]; }; then
  die "no CUDA card, or a libtorch without CUDA (card: ${card:-none}; libtorch in $TORCH_ROOT)." "What needs no card:  eng/gpu-bench.sh --dry-run"
fi
if [ -z "$out" ]; then
  out="$ROOT/bench/results/$(date +%F)-$(printf '%s' "${card#NVIDIA }" | tr -cs 'A-Za-z0-9\n' '-')"
  [ -z "$dry" ] || out="$ROOT/artifacts/gpu-dry-run"
fi
mkdir -p "$out"

for tokens in 2048 8192; do
  step "7b by count $tokens" fovea bench 7b --dry-run --tokens $tokens --json "$out/7b-$tokens-count.json"
done
if [ -n "$dry" ]; then
  [ -z "$parity" ] || step "kernels on the CPU and steps on meta" tests "${parity_classes[@]:0:4}"
else
  [ -z "$parity" ] || FOVEA_TEST_DEVICE=cuda step "parity" tests "${parity_classes[@]}"
  step "7b 2048" fovea bench 7b --tokens 2048 --steps "$steps" --json "$out/7b-2048.json"
  step "7b 2048 small" fovea bench 7b --tokens 2048 --steps "$steps" --kept-blocks 12 --json "$out/7b-2048-12-blocks-kept.json"
  step "7b 8192" fovea bench 7b --tokens 8192 --steps "$steps" --json "$out/7b-8192.json"
  if [ -n "$peer" ] && find_python && "$PYTHON" -c 'import torch, transformers' 2> /dev/null; then
    attention=sdpa
    "$PYTHON" -c 'import flash_attn' 2> /dev/null && attention=flash_attention_2
    step "peer 2048" "$PYTHON" "$ROOT/bench/peer/7b.py" --tokens 2048 --steps "$steps" --attention $attention --json "$out/peer-2048.json"
    step "peer 8192" "$PYTHON" "$ROOT/bench/peer/7b.py" --tokens 8192 --steps "$steps" --attention $attention --json "$out/peer-8192.json"
    step "peer 8192 checkpointing" "$PYTHON" "$ROOT/bench/peer/7b.py" --tokens 8192 --steps "$steps" --attention $attention --checkpointing \
      --json "$out/peer-8192-checkpointing.json"
  elif [ -n "$peer" ]; then
    say "Transformers is not installed beside PyTorch: no peer"
  fi
fi
printf '\nresults: %s\n' "$out"
[ ${#failures[@]} -eq 0 ] || die "failed: $(printf '%s; ' "${failures[@]}")" "Their output lies in $out."
