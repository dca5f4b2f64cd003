# Doctor's look at the libraries below libtorch.

# package_version PACKAGE FILE: of the Debian package that FILE came in, or what its real name tells.
package_version() {
  local folder="${2%/usr/lib/*}"
  if [ -e "$folder/packages.txt" ]; then
    sed -n "s/^$1 //p" "$folder/packages.txt"
  else
    dpkg-query -W -f '${Version}\n' "$1" 2> /dev/null || dpkg-query -W -f '${Version}\n' "${1%t64}" 2> /dev/null || basename "$(readlink -f "$2")" | sed 's/.*\.so\.//'
  fi
}

# Which OpenBLAS libtorch will get. Its pthread build fights with OpenMP's threads: up to 40 times slower on small work.
doctor_blas() {
  local file
  if [ -n "$TORCH_PREFIX" ]; then
    if [ -e "$TORCH_LIB/openblas-openmp/libblas.so.3" ]; then found OpenBLAS "OpenMP build, $(package_version libopenblas0-openmp "$TORCH_LIB/openblas-openmp/libblas.so.3"), $TORCH_LIB/openblas-openmp"
    else missing OpenBLAS "no OpenMP build in $TORCH_PREFIX" "remove $TORCH_PREFIX; $ME env"; fi
    return
  fi
  if [ "$TORCH_ORIGIN" != system ]; then found BLAS "the one that this build of libtorch carries"; return; fi
  file="$(readlink -f "/usr/lib/$TRIPLET/libblas.so.3" || true)"
  [ ! -e "/usr/lib/$TRIPLET/openblas-openmp/libblas.so.3" ] || file="/usr/lib/$TRIPLET/openblas-openmp/libblas.so.3" # preferred by the launcher
  case "$file" in
    *openblas-openmp*) found OpenBLAS "OpenMP build, $file" ;;
    *openblas-pthread*)
      missing OpenBLAS "the pthread build is in use ($file); beside libtorch's OpenMP it is up to 40 times slower" \
        "sudo apt-get install libopenblas0-openmp   (or LIBTORCH=private $ME ...)"
      ;;
    *) note BLAS "${file:-none found}: OpenBLAS would be faster (sudo apt-get install libopenblas0-openmp)" ;;
  esac
}

doctor_onednn() {
  local file
  file="$(printf '%s\n' "$TORCH_LIB"/libdnnl.so.[0-9].[0-9]* | sort -V | tail -n 1)"
  if [ -e "$file" ]; then found oneDNN "${file##*.so.}, $file"; else found oneDNN 'inside libtorch_cpu'; fi
}

doctor_gloo() {
  local folder file version=
  for file in "${TORCH_PREFIX:-}/usr/lib/libgloo.so".*.*.* "/usr/lib/libgloo.so".*.*.*; do [ -e "$file" ] && version="${file##*.so.}" && break; done
  for folder in $TORCH_INCLUDES; do
    if [ -e "$folder/gloo/algorithm.h" ]; then found gloo "headers in $folder/gloo, library ${version:-inside libtorch_cpu}"; return; fi
  done
  note gloo "no headers beside libtorch: runs on several CPU processes are not built in"
}
