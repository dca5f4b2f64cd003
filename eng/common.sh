# Paths, messages, locks and the live progress line. Sourced by everything else.

CACHE="${FOVEA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/fovea}"
TRIPLET=x86_64-linux-gnu
# In a clone the command line is built; the package Fovea.Tool brings it (PACKAGED), and nothing is written where it lies. ME is what users type.
if [ -e "$ROOT/cli/Fovea.Cli.dll" ]; then
  PACKAGED=1 ME=fovea PROGRAM="$ROOT/cli/Fovea.Cli.dll"
  STATE="$CACHE/tool/$(printf '%s' "$ROOT" | sha256sum | cut -c1-16)"
else
  PACKAGED='' ME=./fovea PROGRAM="$ROOT/artifacts/bin/Fovea.Cli/release/Fovea.Cli.dll"
  STATE="$ROOT/artifacts/launcher"
fi

say() { printf 'fovea: %s\n' "$*" >&2; }

# die MESSAGE [LINE ...]: the first line says what is wrong, the others how to fix it.
die() {
  printf 'fovea: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 3
}

have() { command -v "$1" > /dev/null 2>&1; }

short_hash() { sha256sum | cut -c1-16; }

# may_write FOLDER REMEDY...: ends with one sentence where this folder, or one directly in it, cannot be written.
may_write() {
  local folder
  for folder in "$1" "$1"/*/; do
    [ -d "$folder" ] && [ ! -w "$folder" ] || continue
    shift
    die "${folder%/} belongs to $(stat -c %U "$folder") and cannot be written by $(id -un)" "$@"
  done
}

# May this user build in this clone?
may_write_clone() {
  local folder
  [ -z "$PACKAGED" ] || return 0
  for folder in "$ROOT/artifacts" "$STATE"; do
    may_write "$folder" "The clone must be writable by whoever starts it: make one of your own (git clone $ROOT), or have its owner let you write there."
  done
}

# locked FILE WHAT COMMAND...: one process at a time; the second waits and says so.
locked() {
  local file="$1" what="$2" status=0
  shift 2
  mkdir -p "$(dirname "$file")" || die "cannot write to $(dirname "$file")" "set XDG_CACHE_HOME to a folder that can be written"
  have flock || { "$@"; return; }
  exec 8> "$file" || die "cannot write $file" "set XDG_CACHE_HOME to a folder that can be written"
  if ! flock -n 8; then
    say "another fovea is at work on $what; waiting for it"
    flock 8
  fi
  "$@" || status=$?
  exec 8>&-
  return $status
}

# stage TITLE PROBE COMMAND...: runs COMMAND with a live line on stderr. PROBE is a function that prints how
# far it is ("" for none). Output goes to $CACHE/log; its end is shown when the command fails.
stage() {
  local title="$1" probe="$2" started=$SECONDS status=0 pid log told=0
  shift 2
  mkdir -p "$CACHE/log"
  log="$CACHE/log/$(printf '%s' "$title" | tr -cs 'A-Za-z0-9' '-').$$.log"
  set -m # a process group of its own, so that Ctrl-C here can end all of it
  "$@" > "$log" 2>&1 < /dev/null & # it holds the lock too: should this shell be killed, the next start waits for it
  pid=$!
  set +m
  trap 'kill -TERM -- -'"$pid"' 2> /dev/null; printf "\n" >&2; say "interrupted; the next start goes on from here"; exit 130' INT TERM HUP PIPE
  [ -t 2 ] || say "$title ..."
  while kill -0 "$pid" 2> /dev/null; do
    if [ -t 2 ]; then
      printf '\r\033[Kfovea: %s ... %s %ds' "$title" "$(${probe:-true})" $((SECONDS - started)) >&2
    elif [ $((SECONDS - started - told)) -ge 15 ]; then
      told=$((SECONDS - started))
      say "$title ... $(${probe:-true}) ${told}s"
    fi
    sleep 0.2
  done
  wait "$pid" || status=$?
  trap - INT TERM HUP PIPE
  if [ $status -eq 0 ]; then
    [ -t 2 ] && printf '\r\033[K' >&2
    say "$title: done, $(${probe:-true}) $((SECONDS - started))s"
    rm -f "$log"
  else
    [ -t 2 ] && printf '\n' >&2
    say "$title failed (exit $status); the end of its output, all of which is in $log:"
    tail -n "${STAGE_TAIL:-25}" "$log" >&2
    STAGE_LOG="$log"
  fi
  return $status
}
