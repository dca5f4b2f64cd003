# Compiles native/ into libfovea_native.so, once for each state of sources, compiler and libtorch.

# Sets CXX_COMMAND, CXX_FLAGS, LINK_FLAGS and COMPILER (its name and version).
choose_compiler() {
  local libs driver include
  CXX_FLAGS=(-std=c++20 -O3 -fPIC -fopenmp -fno-math-errno -fno-trapping-math -mprefer-vector-width=512 -fvisibility=hidden -Wall -Wno-deprecated-declarations -Wno-psabi -I"$ROOT/native")
  LINK_FLAGS=(-shared -fopenmp -Wl,--no-as-needed -L"$TORCH_LIB" -ltorch -ltorch_cpu -lc10 -Wl,--as-needed)
  for include in $TORCH_INCLUDES; do [ -n "$TORCH_PREFIX" ] || [ "$include" = /usr/include ] || CXX_FLAGS+=(-isystem "$include"); done
  if [ -n "$TORCH_PREFIX" ]; then
    libs="$TORCH_PREFIX/usr/lib/$TRIPLET"
    driver="$(ls "$TORCH_PREFIX/usr/bin/$TRIPLET"-g++-* 2> /dev/null | sort -V | tail -n 1)"
    [ -n "$driver" ] || die "the folder $TORCH_PREFIX brings its own C library but no g++." "Lay the package g++ into it as well."
    CXX_COMMAND=("$libs/ld-linux-x86-64.so.2" --library-path "$libs" "$driver" -B "$TORCH_PREFIX/usr/bin/"
      -wrapper "$libs/ld-linux-x86-64.so.2,--library-path,$libs" --sysroot="$TORCH_PREFIX")
    CXX_FLAGS+=(-isystem "$TORCH_PREFIX/usr/include/torch/csrc/api/include")
    LINK_FLAGS+=(-Wl,--allow-shlib-undefined "-Wl,-rpath-link,$libs:$libs/openblas-openmp:$TORCH_PREFIX/usr/lib")
  else
    CXX_COMMAND=("${CXX:-g++}")
    CXX_FLAGS+=("-D_GLIBCXX_USE_CXX11_ABI=$TORCH_ABI")
    LINK_FLAGS+=("-Wl,-rpath,${BRIDGE_RPATH:-$TORCH_LIB}")
  fi
  local folder
  for folder in $TORCH_INCLUDES; do
    [ -e "$folder/gloo/algorithm.h" ] && [ -e "$folder/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp" ] && CXX_FLAGS+=(-DUSE_C10D_GLOO) && TORCH_GLOO=headers
  done
  add_cuda
  add_nccl
  COMPILER="$("${CXX_COMMAND[@]}" --version 2> /dev/null | head -n 1)"
  [ -n "$COMPILER" ] || die "the compiler ${CXX_COMMAND[*]} does not start."
}

# CUDA builds of libtorch: their own headers are used where CUDA's are at hand, and .cu files where nvcc is (FOVEA_NVCC=none does without).
add_cuda() {
  NVCC='' CUDA_HEADERS=''
  [ -n "$TORCH_CUDA" ] || return 0
  local place
  NVCC="${CUDA_HOME:+$CUDA_HOME/bin/nvcc}"
  [ -x "$NVCC" ] || NVCC="$(command -v nvcc || ls /usr/local/cuda/bin/nvcc "$TORCH_ROOT"/../nvidia/cu*/bin/nvcc 2> /dev/null | head -n 1 || true)"
  for place in "${NVCC:+$(dirname "$(dirname "$(readlink -f "$NVCC")")")/include}" /usr/local/cuda/include "$TORCH_ROOT"/../nvidia/cu*/include "$TORCH_ROOT"/../nvidia/cuda_runtime/include ${TORCH_INCLUDES%% *}; do
    if [ -e "$place/cuda_runtime_api.h" ]; then CUDA_HEADERS="$place"; break; fi
  done
  [ "${FOVEA_NVCC:-}" != none ] || NVCC=''
  [ -n "$CUDA_HEADERS" ] || { say "CUDA's headers were not found: the bridge is built without CUDA extras (pip install nvidia-cuda-runtime, or the CUDA toolkit)"; return 0; }
  CXX_FLAGS+=(-DFOVEA_CUDA)
  add_headers "$CUDA_HEADERS"
  # CUDA 13 keeps nv/target and the like in a folder of their own, where nvcc looks and other compilers do not. Wheels spread the rest over several.
  for place in "$CUDA_HEADERS/cccl" "$TORCH_ROOT"/../nvidia/cu*/include "$TORCH_ROOT"/../nvidia/cu*/include/cccl "$TORCH_ROOT"/../nvidia/*/include; do
    [ ! -d "$place" ] || [ "$place" -ef "$CUDA_HEADERS" ] || add_headers "$place"
  done
  [ -z "$NVCC" ] || CXX_FLAGS+=(-DFOVEA_NVCC)
  LINK_FLAGS+=(-Wl,--no-as-needed -ltorch_cuda -lc10_cuda -Wl,--as-needed)
  add_cudart
}

# A folder of headers. /usr/include is searched anyway, and named as such it would come before the C++ library, which does not work.
add_headers() { [ "$1" -ef /usr/include ] || CXX_FLAGS+=(-isystem "$1"); }

# libtorch's own CUDA runtime, so that there is one in the process: beside it in wheels, in the toolkit or the prefix otherwise.
add_cudart() {
  local library
  for library in "$TORCH_LIB"/libcudart*.so.* "$TORCH_ROOT"/../nvidia/cu*/lib/libcudart.so.* "$TORCH_ROOT"/../nvidia/cuda_runtime/lib/libcudart.so.* \
    "${CUDA_HEADERS%/include}"/lib64/libcudart.so.* "${CUDA_HEADERS%/include}"/lib/libcudart.so.*; do
    [ -e "$library" ] || continue
    LINK_FLAGS+=("$library")
    [ -n "$TORCH_PREFIX" ] || LINK_FLAGS+=("-Wl,-rpath,$(dirname "$(readlink -f "$library")")")
    return
  done
  say "libcudart was not found beside libtorch; its symbols are looked for when the bridge is loaded"
}

# Machine code for the cards at hand, or, without one, for Ampere and Hopper with an intermediate form for what comes later.
cuda_architectures() {
  local found
  found="${FOVEA_CUDA_ARCH:-$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | tr -d '. ' | sort -u | tr '\n' ' ')}"
  if [ -z "${found// /}" ]; then
    printf '%s\n' -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 -gencode arch=compute_90,code=compute_90
    return
  fi
  for found in $found; do printf '%s\n' -gencode "arch=compute_$found,code=sm_$found"; done
}

# NCCL is part of CUDA builds of libtorch; its header comes with pip's nvidia-nccl or with the system. Its use needs those of cuBLAS, cuSPARSE and cuSOLVER
# too, so it is tried.
add_nccl() {
  [ -n "$CUDA_HEADERS" ] || return 0
  local answer
  answer="$CACHE/bridge/nccl-$(printf '%s\n' "$TORCH_VERSION" "$TORCH_LIB" "${CXX_COMMAND[@]}" "${CXX_FLAGS[@]}" | short_hash)"
  if [ ! -e "$answer" ]; then
    mkdir -p "$CACHE/bridge"
    echo '#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>' |
      "${CXX_COMMAND[@]}" "${CXX_FLAGS[@]}" -DUSE_C10D_NCCL -w -fsyntax-only -x c++ - > "$answer.log" 2>&1 && mv "$answer.log" "$answer"
  fi
  if [ -e "$answer" ]; then
    CXX_FLAGS+=(-DUSE_C10D_NCCL)
  else
    say "the bridge is built without NCCL, which several GPUs in one run need: $(grep -m 1 -E 'error' "$answer.log" | cut -c1-200)"
  fi
}

native_sources() {
  local file
  for file in "$ROOT"/native/*.cpp "$ROOT"/native/kernels/*.cpp "$ROOT"/native/kernels/cuda/*.cpp; do [ -e "$file" ] && printf '%s\n' "$file"; done
  [ -z "$NVCC" ] || [ -z "$CUDA_HEADERS" ] || for file in "$ROOT"/native/kernels/cuda/*.cu; do [ -e "$file" ] && printf '%s\n' "$file"; done
  return 0
}

native_headers() { find "$ROOT/native" -name '*.h' -o -name '*.hpp' -o -name '*.cuh' -o -name '*.inc' | LC_ALL=C sort; }

# The bridge that a package brings for exactly this libtorch; nothing where it brings none. The name tells rebuilds of one version apart.
prebuilt_bridge() {
  local bridge
  bridge="$ROOT/bridges/$TORCH_VERSION-$(libtorch_identity)/libfovea_native.so"
  [ -n "$TORCH_CUDA" ] || [ ! -e "$bridge" ] || printf '%s\n' "$bridge"
}

libtorch_identity() { stat -L -c '%s-%Y' "$TORCH_LIB/libtorch_cpu.so"; }

# Finds the bridge for the sources as they are, or builds it. Sets BRIDGE.
prepare_bridge() {
  local sources headers identity common
  BRIDGE_HASH=''
  BRIDGE="$(prebuilt_bridge)"
  [ -z "$BRIDGE" ] || return 0
  choose_compiler
  sources="$(native_sources)"
  [ -n "$sources" ] || return 0
  headers="$(native_headers)"
  identity="$COMPILER|${NVCC:+$("$NVCC" --version 2> /dev/null | tail -n 2 | tr '\n' ' ')${FOVEA_CUDA_ARCH:-}}|$TORCH_VERSION|$TORCH_LIB|$(stat -L -c '%s %Y' "$TORCH_LIB/libtorch_cpu.so")|$(printf '%s ' "${CXX_FLAGS[@]}" "${LINK_FLAGS[@]}" | sed "s|$ROOT/||g")"
  # shellcheck disable=SC2086 # a list of files without spaces in their own names
  common="$({ printf '%s\n' "$identity"; [ -z "$headers" ] || (cd "$ROOT" && printf '%s\n' "$headers" | sed "s|^$ROOT/||" | xargs -d '\n' sha256sum); } | short_hash)"
  BRIDGE_HASH="$({ printf '%s\n' "$common"; (cd "$ROOT" && printf '%s\n' "$sources" | sed "s|^$ROOT/||" | xargs -d '\n' sha256sum); } | short_hash)"
  BRIDGE="$CACHE/bridge/$BRIDGE_HASH/libfovea_native.so"
  [ -e "$BRIDGE" ] || locked "$CACHE/bridge.lock" "the bridge" build_bridge "$sources" "$common"
}

compile_one() {
  local source="$1" object="$2"
  case "$source" in
    *.cu)
      local architectures
      mapfile -t architectures < <(cuda_architectures)
      "$NVCC" -std=c++17 -O3 "${architectures[@]}" -Xcompiler -fPIC,-fvisibility=hidden -c "$source" -o "$object.tmp$$"
      ;;
    *) "${CXX_COMMAND[@]}" "${CXX_FLAGS[@]}" -c "$source" -o "$object.tmp$$" ;;
  esac && mv "$object.tmp$$" "$object"
}

# compile_all JOBS LIST: LIST holds lines "source<TAB>object"; finished objects are kept for the next start.
compile_all() {
  local source object status=0
  while IFS=$'\t' read -r source object; do
    [ -e "$object" ] && continue
    while [ "$(jobs -rp | wc -l)" -ge "$1" ]; do wait -n || status=1; done
    [ $status -eq 0 ] || break
    compile_one "$source" "$object" &
  done < "$2"
  while [ -n "$(jobs -rp)" ]; do wait -n || status=1; done
  while IFS=$'\t' read -r source object; do [ -e "$object" ] || status=1; done < "$2"
  return $status
}

compiled() { printf '%s of %s files,' "$(cut -f2 "$OBJECT_LIST" | xargs -d '\n' ls 2> /dev/null | wc -l)" "$(wc -l < "$OBJECT_LIST")"; }

build_bridge() {
  local sources="$1" common="$2" objects="$CACHE/bridge/objects" jobs memory source part
  [ -e "$BRIDGE" ] && return
  [ -z "${LOOK_ONLY:-}" ] || die "the bridge is not built yet for native/ as it is (hash $BRIDGE_HASH)." "Build it with:  $ME env"
  mkdir -p "$objects"
  OBJECT_LIST="$CACHE/bridge/list.$$"
  printf '%s\n' "$sources" | while read -r source; do
    printf '%s\t%s\n' "$source" "$objects/$(basename "$source")-$({ printf '%s\n' "$common" "${source#"$ROOT"/}"; cat "$source"; } | short_hash).o"
  done > "$OBJECT_LIST"
  # One compiler takes up to 1.5 GB with libtorch's headers.
  memory="$(awk '/MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)"
  jobs="$(usable_cpus)"
  [ "$memory" -ge "$jobs" ] || jobs=$((memory > 0 ? memory : 1))
  jobs="${FOVEA_JOBS:-$jobs}"
  case "$jobs" in '' | 0* | *[!0-9]*) die "FOVEA_JOBS=$jobs is no number of compilers." "Give a whole number from 1 on, or unset it." ;; esac
  STAGE_TAIL=40 stage "compiling the bridge for libtorch $TORCH_VERSION" compiled compile_all "$jobs" "$OBJECT_LIST" ||
    die "the bridge could not be compiled with $COMPILER against libtorch $TORCH_VERSION in $TORCH_ROOT."
  part="$(mktemp -d "$CACHE/bridge/new.XXXXXX")" || die "cannot write to $CACHE/bridge"
  chmod 755 "$part"
  link_bridge "$part/libfovea_native.so" ||
    die "the bridge could not be linked against libtorch $TORCH_VERSION in $TORCH_ROOT."
  mv -T "$part" "$(dirname "$BRIDGE")" 2> /dev/null || rm -rf "$part"
  rm -f "$OBJECT_LIST"
  find "$objects" -name '*.o*' -mtime +30 -delete
}

link_bridge() {
  local objects=()
  mapfile -t objects < <(cut -f2 "$OBJECT_LIST")
  "${CXX_COMMAND[@]}" "${objects[@]}" -o "$1" "${LINK_FLAGS[@]}" || return
  [ -n "$TORCH_PREFIX" ] && return
  local said older missing
  said="$(ldd "$1" 2>&1)"
  older="$(printf '%s\n' "$said" | sed -n 's/^.*: \(version .*not found\).*/\1/p' | sort -u | head -n 5 | paste -sd ';')"
  [ -z "$older" ] || die "libtorch in $TORCH_ROOT cannot be loaded on this system:" "$older" \
    "Use a libtorch that was built for it, or fovea's own:  LIBTORCH=private $ME ..."
  # A library that is not found need not be one that is called: the loader has the last word.
  missing="$(printf '%s\n' "$said" | sed -n 's/^[[:space:]]*\(.*\) => not found/\1/p' | sort -u | head -n 5 | paste -sd ';')"
  [ -z "$missing" ] || say "libtorch in $TORCH_ROOT wants libraries that are not found: $missing. If the bridge does not load, install them, or use LIBTORCH=private"
}
