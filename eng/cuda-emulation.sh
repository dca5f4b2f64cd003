#!/usr/bin/env bash
# Runs the CUDA kernels (native/kernels/cuda/*.cu) on the CPU against their formulas in double: threads of a block are fibers in an order drawn by a seed,
# memory has margins that must not change, and vectors must lie where they may. Then kernels with a fault put in must be noticed.
#   eng/cuda-emulation.sh             everything: all shapes in three passes, all faults
#   eng/cuda-emulation.sh --quick     a few shapes, two faults; what ./test runs
#   eng/cuda-emulation.sh --asan      with the address sanitizer, and undefined behaviour told by name
#   eng/cuda-emulation.sh --seed N    another order and other numbers
# Needs the C++ compiler that the bridge is built with, and no CUDA. Where there is a clang++ it also says whether host and device code keep apart. Ends with 0 when all is well.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
for part in common cpus platform packages libtorch host bridge; do
  # shellcheck disable=SC1090
  . "$ROOT/eng/$part.sh"
done

# name|file|what sed makes of it: each is a kernel that must be noticed.
FAULTS=(
  'a barrier less in the loss|cross_entropy.cu|/__syncthreads/d'
  'a pack too many in the gate|swiglu.cu|0,/i < packs;/s//i <= packs;/'
  'a barrier less in sums of a block|common.cuh|/__syncthreads();$/d'
  'vectors wherever rows begin|common.cuh|s/ && at % (sizeof(T) \* N) == 0//'
  'the second half of a head one element on|rotary.cu|s/load<T, N>(from + half, pack)/load<T, N>(from + half + 1, pack)/'
  'the same random bits for two neighbours|dropout.cu|s/bits >> 32 : bits/bits : bits/'
  'mean of one element too many|rms_norm.cu|s/static_cast<float>(width) + epsilon/static_cast<float>(width + 1) + epsilon/'
  'a gradient without its target|cross_entropy.cu|s/i \* N + j == target/i * N + j == classes/'
  'rounding towards zero|common.cuh|s/narrow(float x, __nv_bfloat16\* to) {.*/narrow(float x, __nv_bfloat16* to) { to->bits = static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16); }/'
  'a shuffle that leaves lanes out|common.cuh|s/offset > 0; offset/offset > 1; offset/'
  'the gate of another head|gates.cu|s/head = i \/ head_packs % heads/head = i % heads/'
  'a softplus that is straight too early|gates.cu|s/linear_above = 20/linear_above = 2/'
  'a step that learns nothing of the last tokens|gates.cu|s/t < tokens; t += blockDim.x/t + 1 < tokens; t += blockDim.x/'
  'a convolution that does not begin anew|convolution.cu|s/if (t == next) {/if (false) {/'
  'weights turned around on the way back|convolution.cu|s/dz.at\[L - 1 - l\]/dz.at[l]/'
  'a run that does not see behind its end|convolution.cu|s/t < own + L - 1/t < own/'
  'a barrier less between slabs|delta.cuh|/the slabs before are used/d'
  'sums of g that forget|delta.cuh|s/sums\[i\] += sums\[i - 1\]/sums[i] += sums[0]/'
  'a corner of the inverse with the wrong sign|delta_rule.cu|s/+ c\] = -sum;/+ c] = sum;/'
  'a state that does not fade|delta_rule.cu|s/\*of = whole \* \*of + sum/*of = *of + sum/'
  'a state that crosses a boundary|delta_rule.cu|s/c = first_chunk\[n\];/c = 0;/'
  'scores without the token itself|delta_rule.cu|s/j <= i && i < count ?/j < i \&\& i < count ?/'
  'barriers less along a segment|delta_backward.cu|/^        __syncthreads();$/d'
  'a key head that one value head alone teaches|delta_backward.cu|s/r < part.ratio/r < 1/'
  'a length that learns|delta_backward.cu|s/sum_at(i) - y\[i\] \* back/sum_at(i)/'
  'gates that learn from the wrong end|delta_backward.cu|s/int i = count - 1; i >= 0; i--/int i = 0; i < count; i++/'
  'a barrier less between tokens|delta_steps.cu|/the last use of `shared` is over/d'
  'the other half of a byte first|four_bit.cu|s/j % 2 == 0 ? 4 : 0/j % 2 == 0 ? 0 : 4/'
  'a table that is read too early|four_bit.cu|/the table is there/d'
  'the scale of the block before|four_bit.cu|s/scales\[i \/ block\]/scales[(i > 0 ? i - 1 : 0) \/ block]/'
  'lanes left out of a sum|four_bit.cu|s/offset > 0; offset/offset > 1; offset/'
  'the state of another sequence|delta_steps.cu|s/slots\[n\] \* part.heads/n * part.heads/'
)

MODE=full ASAN='' SEED=1
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) MODE=quick ;;
    --asan) ASAN=1 ;;
    --seed) SEED="${2:?--seed needs a number}" && shift ;;
    *) die "unknown option $1" "eng/cuda-emulation.sh [--quick] [--asan] [--seed N]" ;;
  esac
  shift
done
[ $MODE = full ] || FAULTS=("${FAULTS[@]:0:2}")

KERNELS="$ROOT/native/kernels/cuda" CHECKS="$ROOT/tests/cuda-emulation"

choose_flags() {
  find_libtorch
  choose_compiler
  FLAGS=(-std=c++20 -O1 -Wall -Wno-unknown-pragmas -I"$CHECKS/include" -I"$KERNELS")
  if [ -n "$ASAN" ]; then
    FLAGS+=(-g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
  else
    FLAGS+=(-fsanitize=undefined -fsanitize-undefined-trap-on-error) # no library is needed for it
  fi
  LINKS=()
  [ -z "$TORCH_PREFIX" ] || LINKS+=("-Wl,--dynamic-linker=$TORCH_PREFIX/usr/lib/$TRIPLET/ld-linux-x86-64.so.2" "-Wl,-rpath,$TORCH_PREFIX/usr/lib/$TRIPLET")
}

# rewrite FILE TO [SED]: the two spellings that a C++ compiler does not know, launches and shared arrays; and a fault, where there is one.
rewrite() {
  local changed
  changed="$(sed -E \
    -e 's/\b([A-Za-z_][A-Za-z0-9_]*)<<</::emulated::launch(\1, /g; s/>>>\(/)(/g' \
    -e 's/__shared__ ([A-Za-z_][A-Za-z0-9_:]*) ([A-Za-z_][A-Za-z0-9_]*)\[([^]]+)\];/auto\& \2 = ::emulated::shared<\1[\3]>(__FILE__, __LINE__);/' \
    "$1" | sed "${3:-}")"
  case "$changed" in *'<<<'* | *__shared__*) die "$1 has a launch or a shared array that the emulation does not know how to rewrite." ;; esac
  printf '#line 1 "%s"\n%s\n' "${1#"$ROOT"/}" "$changed" > "$2"
}

# lay_out FOLDER [FILE SED]: the kernels as C++, one of them with a fault.
lay_out() {
  local file target name
  mkdir -p "$1/kernels/cuda"
  cp "$ROOT"/native/kernels/*.h "$1/kernels/"
  cp "$KERNELS"/*.h "$1/kernels/cuda/"
  for file in "$KERNELS"/*.cu "$KERNELS"/*.cuh; do
    name="$(basename "$file")" target="$1/kernels/cuda/$(basename "$file" .cu)"
    [ "$name" = "$(basename "$file" .cu)" ] || target="$target.cpp"
    if [ "$name" = "${2:-}" ]; then
      rewrite "$file" "$target" "$3"
      rewrite "$file" "$1/before"
      ! cmp -s "$target" "$1/before" || die "the fault for $name changes nothing there any more: $3"
    else
      rewrite "$file" "$target"
    fi
  done
}

# compile OUT SOURCE...: objects into OUT, as many at once as there are processors.
compile() {
  local out="$1" source status=0 at_once
  shift
  at_once="$(usable_cpus)"
  for source in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n || status=1; done
    "${CXX_COMMAND[@]}" "${FLAGS[@]}" -c "$source" -o "$out/$(basename "$source" .cpp).o" &
  done
  while [ -n "$(jobs -rp)" ]; do wait -n || status=1; done
  return $status
}

link() { "${CXX_COMMAND[@]}" "${FLAGS[@]}" "${@:2}" -o "$1" "${LINKS[@]}"; }

build_all() {
  local fault name file change folder part="$BUILT.new" object objects
  rm -rf "$part"
  lay_out "$part"
  compile "$part" "$CHECKS"/*.cpp "$part"/kernels/cuda/*.cpp || return
  link "$part/check" "$part"/*.o || return
  local number=0
  for fault in "${FAULTS[@]}"; do
    IFS='|' read -r name file change <<< "$fault"
    number=$((number + 1)) folder="$part/fault-$number"
    lay_out "$folder" "$file" "$change"
    case "$file" in
      *.cuh) compile "$folder" "$folder"/kernels/cuda/*.cpp || return ;;
      *) compile "$folder" "$folder/kernels/cuda/${file%.cu}.cpp" || return ;;
    esac
    objects=()
    for object in "$part"/*.o; do
      [ -e "$folder/$(basename "$object")" ] && objects+=("$folder/$(basename "$object")") || objects+=("$object")
    done
    link "$folder/check" "${objects[@]}" || return
  done
  rm -f "$part"/*.o "$part"/fault-*/*.o
  rm -rf "$BUILT"
  mv "$part" "$BUILT"
  find "$CACHE/cuda-emulation" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} +
}

choose_flags
BUILT="$CACHE/cuda-emulation/$({ printf '%s\n' "$COMPILER" "$MODE" "${FLAGS[@]#"-I$ROOT"}"; cd "$ROOT" && find eng/cuda-emulation.sh tests/cuda-emulation native/kernels -name '*.h' -o \
  -name '*.cu*' -o -path '*cuda-emulation*' -type f | LC_ALL=C sort | xargs -d '\n' sha256sum; } | short_hash)"
build_once() { [ -e "$BUILT/check" ] || STAGE_TAIL=60 stage "compiling the CUDA kernels for the CPU" "" build_all || die "the emulation of the CUDA kernels could not be compiled with $COMPILER."; }
[ -e "$BUILT/check" ] || locked "$CACHE/cuda-emulation.lock" "the emulation of the CUDA kernels" build_once

# Fibers would each get a second stack of megabytes otherwise.
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1
options=(--seed "$SEED")
[ $MODE = full ] || options+=(--quick)
status=0
"$BUILT/check" "${options[@]}" || status=1

number=0 noticed=0
for fault in "${FAULTS[@]}"; do
  code=0 number=$((number + 1))
  IFS='|' read -r _ file _ <<< "$fault"
  found="$("$BUILT/fault-$number/check" --only "${file%.cu*}" --quick --until-failure --seed "$SEED" 2>&1)" || code=$?
  if [ $code -eq 0 ]; then
    printf 'NOT NOTICED: %s\n' "${fault%%|*}"
    status=1
  else
    noticed=$((noticed + 1))
    printf 'noticed: %s: %s\n' "${fault%%|*}" "$(printf '%s\n' "$found" | grep -m 1 -e '^FAILED' -e '^signal' -e ERROR -e 'runtime error' || printf '%s\n' "$found" | head -n 1)"
  fi
done
printf '%d of %d faults noticed\n' $noticed $number

# Whether clang finds that host and device code keep apart, each compiled on its own.
keeps_apart() {
  local side
  for side in --cuda-host-only --cuda-device-only; do
    "$CLANG" -x cuda -std=c++17 $side -nocudainc -nocudalib --cuda-gpu-arch=sm_80 -fsyntax-only -I"$CHECKS/declared" -I"$KERNELS" "$1" || return
  done
}

CLANG="$(command -v clang++ || find /usr/bin -name 'clang++-[0-9]*' | sort -V | tail -n 1)"
if [ -z "$CLANG" ]; then
  printf 'host and device code: not looked at, there is no clang++\n'
else
  for file in "$KERNELS"/*.cu; do keeps_apart "$file" || status=1; done
  # One that calls device code from the host must be refused.
  mixed="$(mktemp -d)"
  mkdir "$mixed/cuda"
  cp "$ROOT/native/kernels/split_mix.h" "$mixed/"
  cp "$KERNELS"/*.h "$KERNELS"/*.cuh "$mixed/cuda/"
  sed 's/const auto run = /T rounded; narrow(keep, \&rounded); const auto run = /' "$KERNELS/dropout.cu" > "$mixed/cuda/dropout.cu"
  ! keeps_apart "$mixed/cuda/dropout.cu" 2> /dev/null || { printf 'NOT NOTICED: device code called from the host\n' && status=1; }
  rm -rf "$mixed"
  printf 'host and device code: looked at by %s\n' "$("$CLANG" --version | head -n 1)"
fi
exit $status
