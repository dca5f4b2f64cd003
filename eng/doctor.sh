# ./fovea doctor: every dependency with version and place; what is missing, with the command that mends it.
# Looks only: nothing is downloaded or built. Works when set-up has failed. Exit code 1 when something is missing.

MISSING=0
found() { printf '  ok   %-14s %s\n' "$1" "$2"; }
note() { printf '  note %-14s %s\n' "$1" "$2"; }
missing() {
  MISSING=$((MISSING + 1))
  printf '  MISS %-14s %s\n' "$1" "$2"
  [ -z "${3:-}" ] || printf '       %-14s fix: %s\n' '' "$3"
}

# look NAME COMMAND...: runs a step of set-up; when it dies, its own words are the report.
look() {
  local name="$1" words
  shift
  if words="$( ("$@") 2>&1)"; then
    "$@" > /dev/null 2>&1
    return 0
  fi
  MISSING=$((MISSING + 1))
  printf '%s\n' "$words" | sed -e "1s/^fovea: /$(printf '  MISS %-14s ' "$name")/" -e '2,$s/^ */                             /'
  return 1
}

doctor() {
  set +e # everything is reported, whatever fails
  LOOK_ONLY=1
  export_threads
  load_all
  rm -f "$STATE/environment" # what doctor advises shall be seen: the next start looks everything up again
  printf 'System\n'
  doctor_system
  printf '.NET\n'
  doctor_dotnet
  printf 'libtorch\n'
  if look libtorch find_libtorch; then doctor_libtorch; fi
  printf 'Image codecs\n'
  if [ -n "${TORCH_LIB:-}" ] && look codecs find_codecs; then doctor_codecs; fi
  printf 'Bridge and build\n'
  if [ -n "${TORCH_LIB:-}" ]; then doctor_bridge; fi
  printf 'Kernels\n'
  doctor_kernels
  printf 'Cache\n'
  doctor_cache
  if [ "$MISSING" -eq 0 ]; then echo 'All is well.'; else printf '%d missing.\n' "$MISSING"; return 1; fi
}

doctor_system() {
  local flag flags='' memory limit name
  look platform check_platform && found platform "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release 2> /dev/null), $(uname -sm) $(uname -r), $(getconf GNU_LIBC_VERSION 2> /dev/null || echo 'C library unknown')"
  for flag in avx2 fma avx512f avx512_bf16 amx_tile amx_bf16; do
    grep -m 1 '^flags' /proc/cpuinfo | grep -q -w "$flag" && flags="$flags $flag"
  done
  name="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
  case "$flags" in
    *avx512f*) found processor "${name:-unknown},$flags" ;;
    *avx2*) found processor "${name:-unknown},$flags (without AVX-512, bf16 is multiplied in fp32: it saves memory, but no time)" ;;
    *) note processor "${name:-unknown}: no AVX2, training will be slow" ;;
  esac
  found threads "$(usable_cpus) of $(getconf _NPROCESSORS_ONLN) processors (affinity and cgroup), OMP_NUM_THREADS=$OMP_NUM_THREADS"
  limit="$(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null | head -n 1)"
  case "$limit" in '' | max | 9223372036854771712) limit='no cgroup limit' ;; *) limit="cgroup limit $((limit / 1048576)) MB" ;; esac
  memory="$(awk '/^MemTotal/ { t = $2 } /^MemAvailable/ { a = $2 } END { printf "%d MB, %d MB available", t / 1024, a / 1024 }' /proc/meminfo)"
  found memory "$memory, $limit"
  if have nvidia-smi; then found gpu "$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2> /dev/null | paste -sd';')"; else note gpu 'no NVIDIA driver found'; fi
}

doctor_dotnet() {
  local bundle
  look 'dotnet SDK' require_dotnet || return 0
  found 'dotnet SDK' "$(cd "$DOTNET_HOME/sdk" && printf '%s\n' 10.* | sort -V | tail -n 1), runtime $DOTNET_VERSION, $DOTNET_HOME"
  for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt "$PREFIX_DEFAULT/etc/ssl/certs/ca-certificates.crt"; do
    if [ -n "$bundle" ] && [ -s "$bundle" ]; then found certificates "$bundle"; return; fi
  done
  missing certificates 'none found, so NuGet packages cannot be fetched' 'sudo apt-get install ca-certificates'
}

doctor_libtorch() {
  local origin="$TORCH_ORIGIN"
  case "$origin" in python) origin="PyTorch of $PYTHON" ;; LIBTORCH) origin="named by LIBTORCH" ;; private) origin="laid down by fovea (Debian $SUITE)" ;; esac
  found libtorch "$TORCH_VERSION${TORCH_CUDA:+ with CUDA}, $origin, $TORCH_LIB"
  # shellcheck disable=SC1091
  . "$ROOT/eng/doctor-libraries.sh"
  doctor_blas
  doctor_onednn
  doctor_gloo
}

doctor_codecs() {
  local name package file
  while read -r name package; do
    file="$CODECS/$name"
    if [ -e "$file" ]; then found "${name%%.so*}" "$(package_version "$package" "$file"), $file"
    else missing "${name%%.so*}" "not in $CODECS" "rm -r ${CODECS%/usr/lib/*}; $ME env"; fi
  done << 'LIST'
libturbojpeg.so.0 libturbojpeg0
libwebp.so.7 libwebp7
libwebpdemux.so.2 libwebpdemux2
LIST
}

doctor_bridge() {
  if look host prepare_host && [ -n "${DOTNET:-}" ]; then
    if "$DOTNET" --list-runtimes > /dev/null 2>&1; then found host "$DOTNET"; else missing host "$DOTNET does not start" "rm -r $CACHE/host; $ME env"; fi
  fi
  if [ -n "$(prebuilt_bridge)" ]; then found compiler 'not needed: the bridge came with the package'
  elif look compiler choose_compiler; then found compiler "$COMPILER"; fi
  if look bridge prepare_bridge; then found bridge "${BRIDGE:+${BRIDGE_HASH:+hash $BRIDGE_HASH, }$BRIDGE}"; fi
  if [ -e "$PROGRAM" ]; then found build "$PROGRAM"; else note build 'not built yet: the next start builds it'; fi
}

# The program itself says which kernels it uses, once it is built.
doctor_kernels() {
  local words
  if [ -z "${BRIDGE:-}" ] || ! [ -e "$BRIDGE" ] || ! [ -e "$PROGRAM" ] || [ -z "${DOTNET:-}" ]; then
    note kernels "known once bridge and program are built"
    return
  fi
  if words="$( (eval "$(environment)" && "$DOTNET" "$PROGRAM" kernels) 2>&1)"; then printf '%s\n' "$words"; else missing kernels "$words"; fi
}

doctor_cache() {
  if [ -d "$CACHE" ] || mkdir -p "$CACHE" 2> /dev/null; then
    found cache "$CACHE, $(megabytes_of "$CACHE") MB, $(df -Pm "$CACHE" | awk 'NR == 2 { print $4 }') MB free on its disk"
    [ -w "$CACHE" ] || missing cache "$CACHE cannot be written" 'set XDG_CACHE_HOME to a folder of your own'
  else
    missing cache "$CACHE cannot be made" 'set XDG_CACHE_HOME to a folder of your own'
  fi
}
