# Which machines are served. Others are refused by name, with what would work there.

check_platform() {
  local system machine
  system="$(uname -s)" machine="$(uname -m)"
  case "$system" in
    Linux) ;;
    Darwin) die "macOS is not supported: there is no libtorch bridge for it yet." "Run inside a Linux x86-64 machine or container (debian:12 is enough)." ;;
    MINGW* | MSYS* | CYGWIN*) die "Windows itself is not supported." "It works inside WSL 2: wsl --install -d Debian, then start fovea there." ;;
    *) die "$system is not supported." "Linux on x86-64 with glibc is." ;;
  esac
  case "$machine" in
    x86_64 | amd64) ;;
    *) die "processor architecture $machine is not supported." "Linux on x86-64 with glibc is (on an ARM machine, an x86-64 server or virtual machine)." ;;
  esac
  if ls /lib/ld-musl-* > /dev/null 2>&1 && ! ls /lib64/ld-linux-x86-64.so.2 > /dev/null 2>&1; then
    die "this system uses musl (Alpine and kin); libtorch and its compiler need glibc." "Use a glibc image, for example debian:12 or ubuntu:24.04."
  fi
}

# Sets DOTNET_SYSTEM to the real dotnet host and DOTNET_ID to a key that changes when .NET is updated.
find_dotnet() {
  local candidate
  DOTNET_SYSTEM=
  for candidate in "${DOTNET_ROOT:+$DOTNET_ROOT/dotnet}" "$(command -v dotnet || true)" /usr/share/dotnet/dotnet /usr/lib/dotnet/dotnet "${HOME:-/nonexistent}/.dotnet/dotnet"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && [[ "$candidate" != "$CACHE/host/"* ]] || continue
    candidate="$(readlink -f "$candidate")"
    ls -d "$(dirname "$candidate")"/sdk/10.* > /dev/null 2>&1 || continue
    DOTNET_SYSTEM="$candidate"
    break
  done
  [ -n "$DOTNET_SYSTEM" ] || return 1
  DOTNET_HOME="$(dirname "$DOTNET_SYSTEM")"
  DOTNET_VERSION="$(ls "$DOTNET_HOME/shared/Microsoft.NETCore.App" | sort -V | tail -n 1)"
  DOTNET_ID="$DOTNET_VERSION-$({ printf '%s\n' "$DOTNET_HOME"; stat -c '%s %Y' "$DOTNET_SYSTEM"; ls "$DOTNET_HOME" "$DOTNET_HOME/host/fxr" "$DOTNET_HOME/sdk"; } | short_hash | cut -c1-8)"
}

require_dotnet() {
  find_dotnet && return
  die "the .NET 10 SDK was not found (looked in DOTNET_ROOT, PATH, /usr/share/dotnet, /usr/lib/dotnet, ~/.dotnet)." \
    "Without root:  curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0" \
    "With root:     https://learn.microsoft.com/dotnet/core/install/linux (package dotnet-sdk-10.0)"
}
