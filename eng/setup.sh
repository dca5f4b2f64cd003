# From nothing to an environment in which managed code runs; a stamp makes the second start cheap.

# What the stamp depends on besides files: a change of any of these looks everything up again.
stamp_key() {
  printf '# %s|%s|%s|%s|%s|%s|%s\n' "$ROOT" "${LIBTORCH:-}" "$CACHE" "${FOVEA_SUITE:-}" "${DOTNET_ROOT_GIVEN:-}" "$(type -P python3 || true)" "$(type -P dotnet || true)"
}

# Reads the stamp when nothing it was made from has changed.
read_stamp() {
  local stamp="$STATE/environment" key
  [ -r "$stamp" ] || return 1
  IFS= read -r key < "$stamp"
  [ "$key" = "$(stamp_key)" ] || return 1
  # shellcheck disable=SC1090
  . "$stamp"
  [ -x "$FOVEA_DOTNET" ] && [ -e "$FOVEA_LIBTORCH/libtorch_cpu.so" ] && [ -e "${FOVEA_NATIVE:-/}" ] || return 1
  [ -z "$(find -L "$ROOT/native" "$ROOT/eng" "$FOVEA_LIBTORCH/libtorch_cpu.so" "${FOVEA_DOTNET%/*}/shared/Microsoft.NETCore.App" \
    "${FOVEA_DOTNET%/*}/sdk" -maxdepth 2 -newer "$stamp" -print -quit 2> /dev/null)" ]
}

load_all() {
  local file
  for file in platform packages libtorch host bridge environment; do
    # shellcheck disable=SC1090
    . "$ROOT/eng/$file.sh"
  done
}

# Sets everything up and exports it. Quiet and quick when nothing is to be done.
setup() {
  DOTNET_ROOT_GIVEN="${DOTNET_ROOT:-}"
  export_threads
  read_stamp && return
  load_all
  mkdir -p "$STATE" 2> /dev/null || die "cannot write to ${STATE%/*}" "What is built or found out goes there: make it writable${PACKAGED:+, or set XDG_CACHE_HOME}."
  may_write_clone
  [[ "$CACHE" != *[[:space:],:]* ]] || die "the cache folder's name holds a space, comma or colon, which compilers and loaders cannot take: $CACHE" \
    "Set XDG_CACHE_HOME to a folder without."
  may_write "$CACHE" "What is fetched and made for all clones goes there: set XDG_CACHE_HOME to a folder of your own," \
    "or take it back (sudo chown -R $(id -un) $CACHE)."
  check_platform
  require_dotnet
  # Several may be started at once, as torchrun does: each writes its own file, and what they write is the same.
  local new="$STATE/environment.new.$$"
  find "$STATE" -maxdepth 1 -name 'environment.new*' -mmin +60 -delete 2> /dev/null || true
  touch "$new.time" # the stamp's time: a file changed while set-up works counts as newer
  find_libtorch
  find_codecs
  prepare_host
  prepare_bridge
  { stamp_key; environment; } > "$new"
  # shellcheck disable=SC1090
  . "$new"
  touch -r "$new.time" "$new"
  mv "$new" "$STATE/environment"
  rm -f "$new.time"
}
