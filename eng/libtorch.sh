# Finds libtorch, or lays it down. Sets TORCH_ORIGIN (how it was found), TORCH_ROOT, TORCH_LIB (folder of its .so
# files), TORCH_INCLUDES, TORCH_VERSION, TORCH_CUDA (1 for a CUDA build), TORCH_ABI, and TORCH_PREFIX: not empty
# when libtorch lives in a folder of Debian packages that brings its own C library, compiler and codecs.

TORCH_OLDEST=2.6
PREFIX_DEFAULT="$CACHE/libtorch-$SUITE-$(printf '%s' "2 $TORCH_PACKAGES $CODEC_PACKAGES" | short_hash | cut -c1-6)"

# version_at_least VERSION OLDEST
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

header_version() {
  local file
  for file in "$1/torch/csrc/api/include/torch/version.h" "$1/torch/headeronly/version.h"; do
    [ -r "$file" ] && awk '/#define TORCH_VERSION_(MAJOR|MINOR|PATCH)/ { v = v (v == "" ? "" : ".") $3 } END { if (v != "") print v }' "$file"
  done | head -n 1
}

# use_folder ORIGIN FOLDER: a libtorch as unzipped or as pip lays it (lib/, include/), or a folder
# of Debian packages ("" for the system itself).
use_folder() {
  local include
  TORCH_ORIGIN="$1" TORCH_ROOT="${2:-/usr}" TORCH_PREFIX='' TORCH_CUDA='' TORCH_ABI=1
  if [ -e "$2/usr/lib/$TRIPLET/libtorch_cpu.so" ]; then
    include="$2/usr/include" TORCH_LIB="$2/usr/lib/$TRIPLET"
    [ -e "$TORCH_LIB/ld-linux-x86-64.so.2" ] && [ -n "$2" ] && TORCH_PREFIX="$2"
  else
    include="$2/include" TORCH_LIB="$2/lib"
  fi
  TORCH_INCLUDES="$include $include/torch/csrc/api/include"
  TORCH_PROBLEM=
  if [ ! -e "$TORCH_LIB/libtorch_cpu.so" ]; then TORCH_PROBLEM="has no libtorch_cpu.so (looked in $TORCH_LIB)"; return 1; fi
  TORCH_VERSION="$(header_version "$include")"
  if [ -z "$TORCH_VERSION" ]; then TORCH_PROBLEM="has no C++ headers (looked for torch/version.h under $include)"; return 1; fi
  if ! version_at_least "$TORCH_VERSION" $TORCH_OLDEST; then TORCH_PROBLEM="is $TORCH_VERSION, and $TORCH_OLDEST or newer is needed"; return 1; fi
  local library
  for library in c10 torch torch_cpu; do
    [ "$(head -c 4 "$TORCH_LIB/lib$library.so" 2> /dev/null | tail -c 3)" = ELF ] || { TORCH_PROBLEM="is broken: $TORCH_LIB/lib$library.so is missing or no library"; return 1; }
  done
  [ -e "$TORCH_LIB/libtorch_cuda.so" ] && TORCH_CUDA=1
  if [ "$TORCH_ORIGIN" != python ] && [ -z "$TORCH_PREFIX" ] && [ -f "$TORCH_LIB/libtorch_cpu.so" ] && ! version_at_least "$TORCH_VERSION" 2.7; then
    # Before 2.7 both C++ ABIs were about: the new one marks its std::string.
    grep -q -m 1 -a '__cxx1112basic_string' "$TORCH_LIB/libc10.so" || TORCH_ABI=0
  fi
  return 0
}

find_python() { PYTHON="$(command -v python3 || command -v python || true)"; [ -n "$PYTHON" ]; }

# The torch package of the Python on PATH, found without importing it.
use_python() {
  local folder
  find_python || return 1
  folder="$("$PYTHON" -c 'import importlib.util as u, os; s = u.find_spec("torch"); print(os.path.dirname(s.origin) if s and s.origin else "")' 2> /dev/null)" || return 1
  [ -n "$folder" ] || return 1
  use_folder python "$folder" && { version_at_least "$TORCH_VERSION" 2.7 || grep -q -m 1 -a '__cxx1112basic_string' "$TORCH_LIB/libc10.so" || TORCH_ABI=0; return 0; }
  # Debian's python3-torch keeps libraries and headers in the system's folders: step 3 looks there.
  [ -e "/usr/lib/$TRIPLET/libtorch_cpu.so" ] || say "the torch package of $PYTHON $TORCH_PROBLEM; looking further"
  return 1
}

use_system() {
  [ -e "/usr/lib/$TRIPLET/libtorch_cpu.so" ] || return 1
  use_folder system '' && return
  say "the system's libtorch $TORCH_PROBLEM; looking further"
  return 1
}

# Why libtorch of this origin cannot be used with this machine's compiler; silent when it can.
compiler_problem() {
  [ -n "$TORCH_PREFIX" ] && return
  if ! have "${CXX:-g++}"; then printf 'no C++ compiler (%s) is on PATH' "${CXX:-g++}"; return; fi
  echo 'int main() { return 0; }' | "${CXX:-g++}" -std=c++20 -x c++ -fsyntax-only - > /dev/null 2>&1 || printf '%s does not know C++20' "${CXX:-g++}"
}

lay_prefix() {
  [ -e "$PREFIX_DEFAULT" ] && return
  [ -z "${LOOK_ONLY:-}" ] || die "libtorch is not laid down yet ($PREFIX_DEFAULT)." "Lay it down with:  $ME env"
  say "first start: libtorch goes into $PREFIX_DEFAULT (once, for all clones)"
  # shellcheck disable=SC2086 # lists of packages
  lay_packages "$PREFIX_DEFAULT" $TORCH_PACKAGES $CODEC_PACKAGES
  finish_prefix "$UNPACK"
  mv "$UNPACK" "$PREFIX_DEFAULT" || die "cannot write $PREFIX_DEFAULT"
  rm -rf "$UNPACK.list" "$CACHE/apt/archives-$SUITE"
}

# What packages would do when installed: certificates in one file, and a linker that runs on the prefix's own libc.
finish_prefix() {
  local prefix="$1" libs="$1/usr/lib/$TRIPLET" library
  # Debian's OpenBLAS looks for its own needs beside itself and then in the system, past the host's RPATH.
  for library in libgfortran.so.5 libgomp.so.1 libquadmath.so.0 libgcc_s.so.1; do ln -sfn "../$library" "$libs/openblas-openmp/$library"; done
  mkdir -p "$prefix/etc/ssl/certs"
  cat "$prefix"/usr/share/ca-certificates/mozilla/*.crt > "$prefix/etc/ssl/certs/ca-certificates.crt"
  in_prefix "$prefix" patchelf --set-interpreter "$PREFIX_DEFAULT/usr/lib/$TRIPLET/ld-linux-x86-64.so.2" --force-rpath \
    --set-rpath "$PREFIX_DEFAULT/usr/lib/$TRIPLET" "$prefix/usr/bin/$TRIPLET-ld.bfd" || die "the linker in $prefix could not be prepared."
  [ -e "$libs/libtorch_cpu.so" ] || die "Debian $SUITE's libtorch-dev brought no libtorch_cpu.so."
}

# in_prefix PREFIX PROGRAM ARGUMENT...: runs a program of the prefix with the prefix's C library.
in_prefix() {
  local prefix="$1" program="$2" libs="$1/usr/lib/$TRIPLET"
  shift 2
  "$libs/ld-linux-x86-64.so.2" --library-path "$libs" "$prefix/usr/bin/$program" "$@"
}

find_libtorch() {
  local problem
  if [ -n "${LIBTORCH:-}" ] && [ "$LIBTORCH" != private ]; then
    [ -d "$LIBTORCH" ] || die "LIBTORCH=$LIBTORCH is no folder." "Name the folder that holds lib/ and include/, or unset LIBTORCH."
    use_folder LIBTORCH "$(cd "$LIBTORCH" && pwd)" || die "the libtorch in $LIBTORCH $TORCH_PROBLEM." \
      "Name another one, or unset LIBTORCH: then fovea lays down its own."
    problem="$(compiler_problem)"
    [ -z "$problem" ] || die "LIBTORCH=$LIBTORCH needs the system's compiler, but $problem." "Fix it with:  sudo apt-get install g++"
    return
  fi
  if [ "${LIBTORCH:-}" != private ] && { use_python || use_system; }; then
    problem="$(compiler_problem)"
    [ -z "$problem" ] && return
    [ -z "$TORCH_CUDA" ] || die "PyTorch with CUDA is in $TORCH_ROOT, but $problem." "Fix it with:  sudo apt-get install g++" \
      "or train on the CPU with a libtorch of fovea's own:  LIBTORCH=private $ME ..."
    say "libtorch in $TORCH_ROOT is left aside, because $problem"
  fi
  locked "$CACHE/lock" "the cache $CACHE" lay_prefix
  use_folder private "$PREFIX_DEFAULT" || die "the libtorch in $PREFIX_DEFAULT $TORCH_PROBLEM." "Remove that folder; the next start lays it down again."
}
