#!/usr/bin/env bash
# The first minutes on a borrowed GPU: a bare machine with nvcc and a pip PyTorch, perhaps without .NET and network, where a second is dear and the connection
# may break. Never longer than --budget seconds (500); summary.txt and results.tar.gz in --out are renewed every 25 s. Before, where .NET is:
#   eng/gpu-bench.sh --pack          makes .gpu/pack.tar.xz; it travels with the checkout
#   eng/gpu-first.sh --out FOLDER    there; then eng/gpu-second.sh while the machine is warm
# Beside steps of a 7B model it times the mixer of Qwen3.5 (bench mixer), by our kernels and by operators of libtorch.
# To be read first in summary.txt: "bridge: rc", "[FAIL]", the figures. eng/gpu-rehearsal.sh tries all of it without a GPU.
set -uo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
. "$ROOT/eng/gpu.sh"
gpu_begin gpu-first 500 "$@"
bridge=''

# What there is, beside what follows.
machine() {
  nvidia-smi
  command -v nvcc && readlink -f "$(command -v nvcc)" && nvcc --version
  g++ --version | head -n 1
  nproc
  free -g
  df -h "$ROOT" /tmp
  head -n 2 /etc/os-release
  command -v ncu nsys compute-sanitizer cuobjdump
}
machine > "$RESULTS/machine.txt" 2>&1
python3 -c 'import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version(), torch.cuda.nccl.version(), torch.cuda.get_device_name()); print(torch.__config__.show())' > "$RESULTS/torch.txt" 2>&1 &

note "GPU: $(gpu_name | grep . || echo none); $(nproc) CPUs, $(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo) GiB free; $FOVEA_JOBS compilers at once"
unpack || note "the pack $PACK cannot be unpacked"

if bridge_part "${BRIDGE_SECONDS:-240}"; then
  bridge=1
  (cuobjdump --dump-sass "$FOVEA_NATIVE" 2> /dev/null | grep -oE '(LDG|STG)\.E[A-Z0-9.]*' | sort | uniq -c > "$RESULTS/sass.txt") &
  FOVEA_TEST_DEVICE=cuda part parity 150 tests "${PARITY[@]}"
  { grep -h -m 12 '\[FAIL\]' "$RESULTS/parity.log"; grep -h 'Total:' "$RESULTS/parity.log"; } | tee -a "$RESULTS/summary.txt"
  bench_mixer mixer-bf16 40 --dtype bf16
  bench_mixer mixer-fp32 40 --dtype fp32
  bench_7b 7b-2048 60 --tokens 2048 --steps 10
  bench_7b 7b-8192 70 --tokens 8192 --steps 8
else
  note "no bridge: only the peer can be measured"
fi
if has_peer; then peer_7b peer-2048 80 --tokens 2048 --steps 8; else note "Transformers is not installed beside PyTorch: no peer"; fi
[ -z "$bridge" ] || bench_7b 7b-2048-recomputed 50 --tokens 2048 --steps 8 --kept-blocks 0
! has_peer || peer_7b peer-8192 80 --tokens 8192 --steps 5
[ -z "$bridge" ] || part demo 90 fovea demo --output "$ROOT/artifacts/gpu-demo"
figures | tee -a "$RESULTS/summary.txt"
results_end
