# Debian packages laid into a private folder with apt and dpkg, without root and without touching the system.

SUITE="${FOVEA_SUITE:-trixie}"
MIRROR="${FOVEA_MIRROR:-http://deb.debian.org/debian}"
TORCH_PACKAGES="libtorch-dev libopenblas0-openmp libgloo-dev g++ patchelf ca-certificates"
# libpng and giflib are not used any more. They go when the list changes next: its hash names the folder, and a new one is fetched anew.
CODEC_PACKAGES="libturbojpeg0 libpng16-16t64 libwebp7 libwebpdemux2 libgif7"

# Sets KEYRING to Debian's archive keys, or refuses.
find_keyring() {
  local fetched="$CACHE/apt/keyring" name=usr/share/keyrings/debian-archive-keyring
  for KEYRING in "$CACHE/apt/keyring-renewed/$name.gpg" "/$name.gpg" "/$name.pgp" "$fetched/$name.gpg"; do
    [ -s "$KEYRING" ] && return
  done
  # Ubuntu and other relatives carry Debian's keys as a package of their own, which their own signature vouches for.
  mkdir -p "$fetched"
  KEYRING="$fetched/$name.gpg"
  (cd "$fetched" && apt-get -o APT::Sandbox::User=root download debian-archive-keyring && dpkg -x debian-archive-keyring_*.deb .) > /dev/null 2>&1
  [ -s "$KEYRING" ] || die "Debian's archive keys are not on this machine, so nothing from $MIRROR could be trusted." \
    "Fix it with:  sudo apt-get update && sudo apt-get install debian-archive-keyring" \
    "or bring your own libtorch:  pip install torch   (found when its python is on PATH), or LIBTORCH=/path/to/libtorch"
}

# Older systems do not know the keys that Debian 13 is signed with. Debian 11 is signed with keys they know, and brings the newer ones.
renew_keyring() {
  local SUITE=bullseye renewed="$CACHE/apt/keyring-renewed"
  say "the keys in $KEYRING are older than this release of Debian; taking newer ones from $SUITE, which the older ones vouch for"
  write_apt_config
  mkdir -p "$renewed.partial"
  (cd "$renewed.partial" && apt_private update -o APT::Update::Error-Mode=any && apt_private download debian-archive-keyring &&
    dpkg -x debian-archive-keyring_*.deb .) > "$CACHE/apt/renewal.log" 2>&1 && mv "$renewed.partial" "$renewed"
}

read_lists() { stage "reading Debian $SUITE's package lists" "" apt_private update -o APT::Update::Error-Mode=any; }

unknown_key() { grep -q -e NO_PUBKEY -e 'not signed' -e EXPKEYSIG "$STAGE_LOG"; }

# apt with its own configuration, lists, status and archive folder under $CACHE/apt.
apt_private() { APT_CONFIG="$CACHE/apt/$SUITE.conf" apt-get "$@"; }

write_apt_config() {
  local dir="$CACHE/apt" state="$CACHE/apt/$SUITE"
  if ! have apt-get || ! have dpkg; then
    die "no libtorch was found, and laying one down needs apt-get and dpkg (Debian, Ubuntu and kin), which this system lacks." \
      "Bring your own:  pip install torch   (found when its python is on PATH), or LIBTORCH=/path/to/libtorch"
  fi
  mkdir -p "$state/lists/partial" "$state/empty/partial" "$dir/archives-$SUITE/partial"
  : > "$state/status"
  find_keyring
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n' "$MIRROR" "$SUITE" "${COMPONENTS:-main}" "$KEYRING" > "$state/debian.sources"
  cat > "$dir/$SUITE.conf" <<CONF
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Cache::Archives "$dir/archives-$SUITE";
Dir::Etc::sourcelist "$state/debian.sources";
Dir::Etc::sourceparts "-";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Get::Assume-Yes "true";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "4";
Acquire::http::Timeout "30";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Debug::NoLocking "true";
CONF
}

megabytes_of() { du -sm "$1" 2> /dev/null | cut -f1; }
downloaded() { printf '%s of %s MB,' "$(megabytes_of "$CACHE/apt/archives-$SUITE")" "${WANTED_MB:-?}"; }
unpacked() { printf '%s MB,' "$(megabytes_of "$UNPACK")"; }

unpack_all() {
  cut -d' ' -f2 < "$UNPACK.list" | xargs -P "$(nproc)" -I{} dpkg -x "$CACHE/apt/archives-$SUITE/{}" "$UNPACK"
}

# lay_packages FOLDER PACKAGE...: the packages and everything they need, unpacked into FOLDER (made last, so
# that a folder that exists is whole). Packages fetched before an interruption are not fetched again.
lay_packages() {
  local target="$1" bytes
  shift
  write_apt_config
  if ! read_lists && ! { unknown_key && renew_keyring && write_apt_config && read_lists; }; then
    if unknown_key; then
      die "Debian's keys on this machine ($KEYRING) do not cover $SUITE." "Fix it with:  sudo apt-get install --only-upgrade debian-archive-keyring"
    fi
    die "Debian's package lists could not be fetched from $MIRROR." "Check the network (http_proxy is honoured), or name a mirror:  FOVEA_MIRROR=http://..."
  fi
  # An empty archive folder, for apt does not list what it has fetched before.
  apt_private -o "Dir::Cache::Archives=$CACHE/apt/$SUITE/empty" install --print-uris "$@" > "$CACHE/apt/$SUITE.uris" 2> "$CACHE/apt/$SUITE.errors" ||
    die "Debian $SUITE does not offer what is needed: $(tail -n 3 "$CACHE/apt/$SUITE.errors" | tr '\n' ' ')"
  bytes="$(awk '/^.http/ { s += $3 } END { print s }' "$CACHE/apt/$SUITE.uris")"
  # shellcheck disable=SC2034 # read by the probe
  WANTED_MB=$((bytes / 1048576 + 1))
  UNPACK="$target.partial"
  rm -rf "$UNPACK"
  mkdir -p "$UNPACK"
  awk '/^.http/ { print $1, $2 }' "$CACHE/apt/$SUITE.uris" | tr -d "'" > "$UNPACK.list"
  check_space "$target" $((bytes / 174763))
  stage "downloading packages of Debian $SUITE" downloaded apt_private install --download-only "$@" ||
    die "the download stopped; what has arrived is kept." "Start again to go on."
  stage "unpacking" unpacked unpack_all || die "unpacking into $UNPACK failed." "Free some disk space, or set XDG_CACHE_HOME to another disk, and start again." \
    "If a package is damaged:  rm -r $CACHE/apt"
  # Names and versions, for doctor.
  cut -d' ' -f2 < "$UNPACK.list" | sed 's/%3a/:/; s/_/ /; s/_[a-z0-9]*\.deb$//' > "$UNPACK/packages.txt"
  local link
  for link in bin sbin lib lib64; do [ -e "$UNPACK/$link" ] || ln -s "usr/$link" "$UNPACK/$link"; done
}

check_space() {
  local free
  free="$(df -Pm "$CACHE" | awk 'NR == 2 { print $4 }')"
  [ "${free:-999999}" -ge "$2" ] || die "$1 needs $2 MB, and its disk has $free MB free." "Free some space, or set XDG_CACHE_HOME to a folder on another disk."
}
