#!/usr/bin/env bash
# Tries eng/gpu-first.sh without a GPU: in a root folder laid out as a borrowed machine is (CUDA 13's folders of headers, a pip PyTorch, no .NET, no network),
# with a pretended nvidia-smi. The compilers, CUDA's headers (12.4) and libtorch with CUDA (2.6) are real, of Debian's contrib and non-free: 2.8 GB to
# download and 10 GB of disk, once, in the cache. What needs a GPU must fail, be told and stop nothing. Needs root, and .gpu/pack.tar.xz.
#   eng/gpu-rehearsal.sh [--budget SECONDS] [--log FILE]
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
. "$ROOT/eng/common.sh"
. "$ROOT/eng/packages.sh"

budget=3600 log=''
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value"
  case "$1" in
    --budget) budget="$2" ;;
    --log) log="$2" ;;
    *) die "unknown option $1" "The options stand at the top of eng/gpu-rehearsal.sh." ;;
  esac
  shift 2
done
[ "$(id -u)" = 0 ] || die "a root folder of its own needs root." "Start it with sudo, or in a container."
[ -e "$ROOT/.gpu/pack.tar.xz" ] || die "the pack is missing." "Make it with:  eng/gpu-bench.sh --pack"

PACKAGES="libtorch-cuda-dev nvidia-cuda-toolkit libnccl-dev g++ binutils bash coreutils findutils grep sed mawk tar gzip xz-utils util-linux procps libc-bin debianutils python3 libssl3t64"
COMPONENTS='main contrib non-free'
MACHINE="$CACHE/gpu-rehearsal/machine"

# Debian's files where a pip PyTorch and CUDA 13 have them.
shape() {
  local root="$1" include="$1/usr/include" cuda="$1/usr/local/cuda" site="$1/usr/lib/python3/dist-packages" libs="$1/usr/lib/$TRIPLET" name
  mkdir -p "$cuda/bin" "$cuda/include/cccl" "$site/torch/lib" "$site/torch/include" "$site/transformers" "$site/nvidia/cu13/lib" "$site/nvidia/nccl/include" "$root/usr/local/bin" \
    "$root/proc" "$root/dev" "$root/tmp" "$root/root"
  # CUDA's own headers leave the system's folder; those of CCCL go where only nvcc looks.
  for name in $(dpkg-deb -c "$CACHE/apt/archives-$SUITE"/nvidia-cuda-dev_*.deb | awk '{ print $6 }' | sed -n 's#^\./usr/include/\([^/]*\)/*.*#\1#p' | sort -u); do
    [ "$name" != "$TRIPLET" ] || continue
    mv "$include/$name" "$cuda/include/"
  done
  for name in nv cub thrust cuda; do mv "$include/$name" "$cuda/include/cccl/"; done
  for name in $(dpkg-deb -c "$CACHE/apt/archives-$SUITE"/nvidia-cuda-dev_*.deb | awk '{ print $6 }' | sed -n "s#^\./usr/include/$TRIPLET/\(.*[^/]\)\$#\1#p"); do
    [ ! -f "$include/$TRIPLET/$name" ] || { mkdir -p "$(dirname "$cuda/include/$name")"; mv "$include/$TRIPLET/$name" "$cuda/include/$name"; }
  done
  # This release of the C library declares four functions as CUDA 12.4 does not expect (later CUDA does).
  sed -i -E 's/(\<(sinpi|cospi)f?\((double|float) x\));/\1 noexcept (true);/' "$cuda/include/crt/math_functions.h"
  printf '#!/bin/sh\nexport PATH=/usr/lib/nvidia-cuda-toolkit/bin:$PATH\nexec /usr/lib/nvidia-cuda-toolkit/bin/nvcc -I/usr/local/cuda/include -I/usr/local/cuda/include/cccl "$@"\n' > "$cuda/bin/nvcc"
  rm -f "$root/usr/bin/nvcc"
  mv "$include/nccl.h" "$site/nvidia/nccl/include/"
  for name in "$libs"/libcudart.so.*; do ln -sf "/usr/lib/$TRIPLET/${name##*/}" "$site/nvidia/cu13/lib/"; done
  for name in torch ATen c10 caffe2; do mv "$include/$name" "$site/torch/include/"; done
  for name in "$libs"/libtorch*.so* "$libs"/libc10*.so*; do ln -sf "/usr/lib/$TRIPLET/${name##*/}" "$site/torch/lib/"; done
  : > "$site/torch/__init__.py"
  : > "$site/transformers/__init__.py"
  # What Debian's scripts would link when packages are installed.
  for name in blas lapack; do ln -sf "$(cd "$libs" && ls -d */lib$name.so.3 | head -n 1)" "$libs/lib$name.so.3"; done
  # Debian does not carry cuDNN, and nothing here calls it: a library with its names and nothing behind them.
  chroot "$root" nm -D --undefined-only "/usr/lib/$TRIPLET/libtorch_cuda.so" | sed -n 's/.* \(cudnn[A-Za-z0-9_]*\)@.*/void \1(void) {}/p' | sort -u > "$root/tmp/cudnn.c"
  echo 'libcudnn.so.9 { global: *; };' > "$root/tmp/cudnn.map"
  chroot "$root" gcc -shared -fPIC -Wl,-soname,libcudnn.so.9 -Wl,--version-script,/tmp/cudnn.map /tmp/cudnn.c -o "/usr/lib/$TRIPLET/libcudnn.so.9"
  printf '%s\n' '#!/bin/sh' 'case "$*" in *compute_cap*) echo 9.0 ;; *name*) echo "NVIDIA H200 (pretended)" ;; *) echo "no such GPU: this machine pretends" ;; esac' > "$root/usr/local/bin/nvidia-smi"
  chmod +x "$cuda/bin/nvcc" "$root/usr/local/bin/nvidia-smi"
  ln -sf mawk "$root/usr/bin/awk"
  printf 'root:x:0:0::/root:/bin/bash\n' > "$root/etc/passwd"
}

lay_machine() {
  [ -e "$MACHINE" ] && return
  # shellcheck disable=SC2086 # a list of packages
  lay_packages "$MACHINE" $PACKAGES
  shape "$UNPACK"
  mv "$UNPACK" "$MACHINE" || die "cannot write $MACHINE"
  rm -rf "$UNPACK.list" "$CACHE/apt/archives-$SUITE"
}
mkdir -p "$CACHE/gpu-rehearsal"
SUITE=trixie
locked "$CACHE/gpu-rehearsal/lock" "the rehearsal's machine" lay_machine

# A checkout as it travels: what is under version control, and the pack.
work="$MACHINE/root/checkout" out="$MACHINE/root/out" dry="$MACHINE/root/dry"
rm -rf "$work" "$out" "$dry"
mkdir -p "$work" "$out"
(cd "$ROOT" && git ls-files -z | xargs -0 tar -cf - .gpu/pack.tar.xz) | tar -C "$work" -xf -
status=0 from=$SECONDS
# shellcheck disable=SC2016 # expanded inside
unshare --mount --net --pid --fork bash -c '
  mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" &&
  exec chroot "$1" env -i HOME=/root PATH=/usr/local/cuda/bin:/usr/local/bin:/usr/bin:/bin FOVEA_JOBS="${FOVEA_JOBS:-2}" BRIDGE_SECONDS="$2" \
    bash -c "bash /root/checkout/eng/gpu-first.sh --out /root/out --budget $2; first=\$?
      bash /root/checkout/eng/gpu-bench.sh --dry-run --out /root/dry; echo \$? > /root/dry/status; exit \$first"' - "$MACHINE" "$budget" || status=$?

failures=0
expect() { if eval "$2"; then printf 'as expected: %s\n' "$1"; else printf 'NOT AS EXPECTED: %s\n' "$1"; failures=$((failures + 1)); fi; }
summary="$out/summary.txt"
report() {
  printf '# eng/gpu-rehearsal.sh at %s, %s s\n' "$(cd "$ROOT" && git rev-parse --short HEAD)" $((SECONDS - from))
  cat "$summary"
  expect "exit 3, because what needs a GPU failed" "[ $status -eq 3 ]"
  expect "the bridge is built, with collectives, at the first try" "grep -q ' bridge: rc 0' '$summary' && ! grep -q bridge-without '$summary'"
  expect "every part has run to its end or failure" "[ \$(grep -cE ' (parity|mixer-bf16|mixer-fp32|7b-2048|7b-8192|peer-2048|7b-2048-recomputed|peer-8192|demo): rc' '$summary') -eq 9 ]"
  expect "a GPU that does not answer is told, and ends no other part" "grep -q 'libtorch sees none' '$summary'"
  expect "two files come back, whole" "[ \"\$(ls -A '$out' | sort | tr '\n' ' ')\" = 'results.tar.gz summary.txt ' ] && tar -tzf '$out/results.tar.gz' | grep -q gpu-results/build-log"
  expect "what needs no GPU passes from the pack: bench 7b by count, kernels on the CPU" "[ \"\$(cat '$dry/status')\" = 0 ]"
  grep -h 'Total:' "$dry"/*.log
  expect "nothing took longer than the budget" "[ \$(sed -n 's/^\[ *\([0-9]*\)s\] finished.*/\1/p' '$summary') -le $((budget + 10)) ]"
}
report > "$MACHINE/root/report.txt"
cat "$MACHINE/root/report.txt"
[ -z "$log" ] || cp "$MACHINE/root/report.txt" "$log"
[ $failures -eq 0 ] || exit 1
