#!/usr/bin/env bash
# Builds the bridge against the PyTorch at hand and measures on its GPU: parity, then Qwen2.5-VL-7B with LoRA at true dimensions, beside Transformers and
# PEFT. Takes as long as it takes; where minutes count, eng/gpu-first.sh.
#   eng/gpu-bench.sh                 everything; results go to bench/results/DATE-GPU/
#   eng/gpu-bench.sh --dry-run       all that needs no GPU: bridge, kernels on the CPU, 7B on shapes alone, operations and bytes by count
#   eng/gpu-bench.sh --pack [FILE]   what a machine without .NET needs beside this checkout, into .gpu/pack.tar.xz
#   --steps N (10)  --no-parity  --no-peer  --out FOLDER
# LIBTORCH names another libtorch than that of python3; CUDA_HOME a toolkit whose nvcc is not on PATH; FOVEA_JOBS the compilers at once.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
. "$ROOT/eng/gpu.sh"

steps=10 dry='' parity=1 peer=1 out='' pack=''
while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=1 ;;
    --pack)
      pack="$PACK"
      if [ $# -ge 2 ] && [ "${2#-}" = "$2" ]; then pack="$2"; shift; fi
      ;;
    --pack-list) pack=list ;;
    --steps | --out)
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

if [ -n "$pack" ]; then
  setup
  load_all
  require_dotnet
  [ "$pack" != list ] || { pack_files; exit; }
  build Fovea.slnx
  make_pack "$pack"
  exit
fi

[ -x "$ROOT/dotnet/dotnet" ] || unpack
prepare
gpu="$(gpu_name)"
if [ -z "$dry" ] && { [ -z "$gpu" ] || [ -z "$TORCH_CUDA" ]; }; then
  die "no GPU, or a libtorch without CUDA (GPU: ${gpu:-none}; libtorch in $TORCH_ROOT)." "What needs none:  eng/gpu-bench.sh --dry-run"
fi
if [ -z "$out" ]; then
  out="$ROOT/bench/results/$(date +%F)-$(printf '%s' "${gpu#NVIDIA }" | tr -cs 'A-Za-z0-9\n' '-')"
  [ -z "$dry" ] || out="$ROOT/artifacts/gpu-dry-run"
fi
results_begin "$ROOT/artifacts/gpu-bench" 86400 "$out"
set +e # parts that fail are remembered

for tokens in 2048 8192; do bench_7b "7b-$tokens-count" 600 --dry-run --tokens $tokens; done
if [ -n "$dry" ]; then
  [ -z "$parity" ] || part kernels-on-cpu-and-steps-on-meta 1800 tests "${ON_ANY_DEVICE[@]}"
else
  [ -z "$parity" ] || FOVEA_TEST_DEVICE=cuda part parity 1800 tests "${PARITY[@]}"
  bench_7b 7b-2048 1800 --tokens 2048 --steps "$steps"
  bench_7b 7b-2048-12-blocks-kept 1800 --tokens 2048 --steps "$steps" --kept-blocks 12
  bench_7b 7b-8192 1800 --tokens 8192 --steps "$steps"
  if [ -n "$peer" ] && has_peer; then
    peer_7b peer-2048 1800 --tokens 2048 --steps "$steps"
    peer_7b peer-8192 1800 --tokens 8192 --steps "$steps"
    peer_7b peer-8192-checkpointing 1800 --tokens 8192 --steps "$steps" --checkpointing
  elif [ -n "$peer" ]; then
    note "Transformers is not installed beside PyTorch: no peer"
  fi
fi
figures | tee -a "$RESULTS/summary.txt"
results_end
printf 'results: %s\n' "$out"
