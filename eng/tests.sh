# Runs the built tests. Sourced by ./test.
#
# libtorch's threads and the count of living handles are a process's own, so the tests of one process run one at a time. Most of them are small and keep one
# CPU busy; so the whole suite is run in parts, by namespace, in as many processes side by side as there are CPUs (four at most). A part that ends is told in a
# line; one in which something failed is shown whole.

RUNNER="$ROOT/artifacts/bin/Fovea.Tests/release/Fovea.Tests.dll"
PARTS="$STATE/tests"

# run_tests ARGUMENT...: one process, its output as it comes.
run_tests() {
  rm -rf "$PARTS"
  mkdir -p "$PARTS"
  # A shell that starts this in the background has SIGINT ignored, which processes under test would inherit.
  env --default-signal=INT "$FOVEA_DOTNET" "$RUNNER" "$@" 2>&1 | tee "$PARTS/tests.log" || return $?
}

# run_parts ARGUMENT...: the whole suite, or what the arguments leave of it.
run_parts() {
  local workers="$(usable_cpus)" part status=0
  [ "$workers" -le 4 ] || workers=4
  if [ "$workers" -lt 2 ] || ! have flock; then
    run_tests "$@"
    return
  fi
  rm -rf "$PARTS"
  mkdir -p "$PARTS"
  # Threads that wait for work let go of their CPU: another process has use for it.
  export RUNNER PARTS OMP_WAIT_POLICY=passive
  export -f run_part
  list_parts > "$PARTS/list"
  env --default-signal=INT xargs -a "$PARTS/list" -P "$workers" -d '\n' -I {} bash -c 'run_part "$@"' part {} "$@" || status=1
  return $status
}

# Classes that start groups of processes take longest and come first, each a part of its own; then a part for every namespace.
list_parts() {
  "$FOVEA_DOTNET" "$RUNNER" -noColor -list classes | sort > "$PARTS/classes"
  grep '^Fovea\.Tests\.Distributed\.' "$PARTS/classes" | sed 's/^/-class /'
  grep '^Fovea\.' "$PARTS/classes" | grep -v '^Fovea\.Tests\.Distributed\.' | sed 's/\.[^.]*$//; s/^/-namespace /' | sort -u
}

# run_part "-class NAME" or "-namespace NAME", ARGUMENT...
run_part() {
  local name="${1#* }" kind="${1%% *}" log summary
  shift
  log="$PARTS/${name#Fovea.Tests.}.log"
  "$FOVEA_DOTNET" "$RUNNER" "$kind" "$name" -noLogo -noColor "$@" > "$log" 2>&1 || touch "$log.failed"
  summary="$(grep -E '^ *Fovea\.Tests +Total: [0-9]+' "$log" | tail -n 1)"
  [[ "$summary" != *" Total: 0"* ]] || return 0 # all of it is left out
  exec 9> "$PARTS/lock"
  flock 9 # the lines of two parts do not mix
  if [ -e "$log.failed" ] && [ -z "$summary" ]; then
    cat "$log"
    printf '%s ended without a summary: it crashed or was stopped\n' "$name"
  elif [ -e "$log.failed" ]; then
    cat "$log"
  else
    printf '  %-50s %s\n' "${name#Fovea.Tests.}" "$(sed -E 's/.*Total: ([0-9]+).*Not Run: [0-9]+, Time: (.*)/\1 tests, \2/' <<< "$summary")"
  fi
  [ ! -e "$log.failed" ]
}

# count_tests WHAT: over all parts. xunit's line: "Fovea.Tests  Total: 5, Errors: 0, Failed: 0, Skipped: 0, Not Run: 0, Time: 0.1s"
count_tests() {
  cat "$PARTS"/*.log | sed 's/\x1b\[[0-9;]*m//g' | grep -E '^ *Fovea\.Tests +Total: [0-9]+' | grep -oE "$1: [0-9]+" | awk '{ sum += $2 } END { print sum + 0 }'
}

# Parts that never came to their summary.
count_crashes() {
  local log crashes=0
  for log in "$PARTS"/*.log; do
    grep -qE 'Fovea\.Tests +Total: [0-9]+' "$log" || crashes=$((crashes + 1))
  done
  echo $crashes
}
