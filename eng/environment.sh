# What managed code is told. Written to a stamp that the next start reads instead of looking again.

find_codecs() {
  if [ -n "$TORCH_PREFIX" ] && [ -e "$TORCH_PREFIX/usr/lib/$TRIPLET/libturbojpeg.so.0" ]; then
    CODECS="$TORCH_PREFIX/usr/lib/$TRIPLET"
    return
  fi
  local name
  for name in libturbojpeg.so.0 libwebp.so.7 libwebpdemux.so.2; do
    if ! [ -e "/usr/lib/$TRIPLET/$name" ] && ! [ -e "/usr/lib64/$name" ]; then
      lay_codecs
      return
    fi
  done
  CODECS="/usr/lib/$TRIPLET"
  [ -e "$CODECS/libturbojpeg.so.0" ] || CODECS=/usr/lib64
}

lay_codecs() {
  local folder
  folder="$CACHE/codecs-$SUITE-$(printf '%s' "$CODEC_PACKAGES" | short_hash | cut -c1-6)"
  CODECS="$folder/usr/lib/$TRIPLET"
  [ -e "$folder" ] || locked "$CACHE/lock" "the cache $CACHE" lay_codec_packages "$folder"
}

lay_codec_packages() {
  [ -e "$1" ] && return
  [ -z "${LOOK_ONLY:-}" ] || die "the image codecs are not laid down yet ($1)." "Lay them down with:  $ME env"
  # shellcheck disable=SC2086 # a list of packages
  lay_packages "$1" $CODEC_PACKAGES
  # The C library comes from the system here: Debian's codecs run on glibc 2.34 and newer.
  (cd "$UNPACK/usr/lib/$TRIPLET" && find . -maxdepth 1 ! -name . ! -name 'libturbojpeg*' ! -name 'libjpeg*' ! -name 'libpng*' ! -name 'libwebp*' \
    ! -name 'libsharpyuv*' ! -name 'libgif*' -exec rm -rf {} +)
  mv "$UNPACK" "$1" || die "cannot write $1"
  rm -rf "$UNPACK.list" "$CACHE/apt/archives-$SUITE"
}

# Lines "export NAME=value" for everything that set-up found out.
environment() {
  put FOVEA_DOTNET "$DOTNET"
  put FOVEA_LIBTORCH "$TORCH_LIB"
  put FOVEA_LIBTORCH_VERSION "$TORCH_VERSION"
  put FOVEA_LIBTORCH_ORIGIN "$TORCH_ORIGIN"
  put FOVEA_CODECS "$CODECS"
  # Codecs of a folder of their own need each other, which the system's loader would not know.
  case "$CODECS" in "$CACHE"/codecs-*) prepend_libraries "$CODECS" ;; esac
  [ -z "$BRIDGE" ] || put FOVEA_NATIVE "$BRIDGE"
  if [ -n "$TORCH_PREFIX" ] && ! [ -e /etc/ssl/certs/ca-certificates.crt ] && ! [ -e /etc/pki/tls/certs/ca-bundle.crt ]; then
    put_default SSL_CERT_FILE "$TORCH_PREFIX/etc/ssl/certs/ca-certificates.crt"
  fi
  [ "$TORCH_ORIGIN" != system ] || system_blas
  # UCX (below libtorch's MPI) would take SIGSEGV and SIGFPE away from .NET.
  put UCX_HANDLE_ERRORS none
  put_default DOTNET_TieredPGO 1
  put_default DOTNET_CLI_TELEMETRY_OPTOUT 1
  put_default DOTNET_NOLOGO 1
  put DOTNET_SYSTEM_GLOBALIZATION_INVARIANT 1
}

# shellcheck disable=SC2016 # expanded at each start
prepend_libraries() { printf 'export LD_LIBRARY_PATH="%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n' "$1"; }

# The system's libtorch takes the BLAS that Debian's alternatives name; only the OpenMP build of OpenBLAS serves well.
system_blas() {
  local folder="/usr/lib/$TRIPLET/openblas-openmp"
  case "$(readlink -f "/usr/lib/$TRIPLET/libblas.so.3")" in
    "$folder"/*) ;;
    *)
      if [ -e "$folder/libblas.so.3" ]; then
        prepend_libraries "$folder"
      else
        say "the system's BLAS is not the OpenMP build of OpenBLAS, and training will be slow; $ME doctor says how to fix it"
      fi
      ;;
  esac
}

put() { printf 'export %s=%q\n' "$1" "$2"; }
# shellcheck disable=SC2016 # expanded at each start
put_default() { printf 'export %s="${%s:-%s}"\n' "$1" "$1" "$2"; }
