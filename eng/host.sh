# The dotnet host that can load libtorch. A libtorch prefix brings a newer C library than the system's, so a copy of
# the host is made to start on that one; the runtime and the SDK themselves are used where they are.

prepare_host() {
  DOTNET="$DOTNET_SYSTEM"
  [ -n "$TORCH_PREFIX" ] || return 0
  local name folder
  name="$DOTNET_ID-$(printf '%s' "$TORCH_PREFIX" | short_hash | cut -c1-6)"
  folder="$CACHE/host/$name"
  [ -e "$folder/dotnet" ] || locked "$CACHE/lock" "the cache $CACHE" make_host "$folder"
  DOTNET="$folder/dotnet"
}

make_host() {
  local folder="$1" part="$1.partial" libs="$TORCH_PREFIX/usr/lib/$TRIPLET" entry
  [ -e "$folder/dotnet" ] && return
  [ -z "${LOOK_ONLY:-}" ] || die "the dotnet host for libtorch's C library is not made yet." "Make it with:  ./fovea env"
  rm -rf "$part"
  mkdir -p "$part"
  for entry in "$DOTNET_HOME"/*; do
    [ "$(basename "$entry")" = dotnet ] || ln -s "$entry" "$part/"
  done
  cp "$DOTNET_SYSTEM" "$part/dotnet"
  chmod u+w "$part/dotnet"
  in_prefix "$TORCH_PREFIX" patchelf --set-interpreter "$libs/ld-linux-x86-64.so.2" --force-rpath \
    --set-rpath "$libs/openblas-openmp:$libs:$TORCH_PREFIX/usr/lib" "$part/dotnet" || die "the dotnet host could not be prepared in $part."
  "$part/dotnet" --list-runtimes > /dev/null ||
    die "the prepared dotnet host $part/dotnet does not start." "Remove $CACHE/host and $TORCH_PREFIX, and start again."
  rm -rf "$folder"
  mv "$part" "$folder"
}
