# The dotnet host that can load libtorch. A libtorch prefix brings a newer C library than the system's, so a copy of
# the host is made to start on that one. The runtime is linked. The SDK is linked too, in such a way that its workers
# and compilers start with this host (on a bare machine the system's host finds no OpenSSL): files at its top are
# copied, because their real place tells which host to use, and programs that would start on their own (csc,
# MSBuild) are left out, for then they are started as "dotnet csc.dll".

prepare_host() {
  DOTNET="$DOTNET_SYSTEM"
  [ -n "$TORCH_PREFIX" ] || return 0
  local name folder
  name="$DOTNET_ID-$(printf '%s' "$TORCH_PREFIX" | short_hash | cut -c1-6)-3"
  folder="$CACHE/host/$name"
  [ -e "$folder/dotnet" ] || locked "$CACHE/lock" "the cache $CACHE" make_host "$folder"
  DOTNET="$folder/dotnet"
}

make_host() {
  local folder="$1" part="$1.partial" libs="$TORCH_PREFIX/usr/lib/$TRIPLET" entry sdk
  [ -e "$folder/dotnet" ] && return
  [ -z "${LOOK_ONLY:-}" ] || die "the dotnet host for libtorch's C library is not made yet." "Make it with:  $ME env"
  rm -rf "$part"
  sdk="$(cd "$DOTNET_HOME/sdk" && printf '%s\n' 10.* | sort -V | tail -n 1)"
  mkdir -p "$part/sdk/$sdk"
  for entry in "$DOTNET_HOME"/*; do
    case "${entry##*/}" in dotnet | sdk) ;; *) ln -s "$entry" "$part/" ;; esac
  done
  link_entries "$DOTNET_HOME/sdk/$sdk" "$part/sdk/$sdk" Roslyn cp
  link_entries "$DOTNET_HOME/sdk/$sdk/Roslyn" "$part/sdk/$sdk/Roslyn" bincore "ln -s"
  link_entries "$DOTNET_HOME/sdk/$sdk/Roslyn/bincore" "$part/sdk/$sdk/Roslyn/bincore" '' "ln -s"
  cp "$DOTNET_SYSTEM" "$part/dotnet"
  chmod u+w "$part/dotnet"
  in_prefix "$TORCH_PREFIX" patchelf --set-interpreter "$libs/ld-linux-x86-64.so.2" --force-rpath \
    --set-rpath "$libs/openblas-openmp:$libs:$TORCH_PREFIX/usr/lib" "$part/dotnet" || die "the dotnet host could not be prepared in $part."
  "$part/dotnet" --list-runtimes > /dev/null ||
    die "the prepared dotnet host $part/dotnet does not start." "Remove $CACHE/host and $TORCH_PREFIX, and start again."
  rm -rf "$folder"
  mv "$part" "$folder"
}

# link_entries FROM TO EXCEPT HOW: folders but EXCEPT are linked; files are linked or copied, programs with a dll beside them left out.
link_entries() {
  local entry
  mkdir -p "$2"
  for entry in "$1"/*; do
    if [ -d "$entry" ]; then
      [ "${entry##*/}" = "$3" ] || ln -s "$entry" "$2/"
    elif [ -e "$entry" ] && ! [ -e "$entry.dll" ]; then
      $4 "$entry" "$2/"
    fi
  done
}
