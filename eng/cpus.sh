# How many threads to use.

# lower_to QUOTA PERIOD: cuts $cpus down to a quota of CPU time ("max" and -1 mean none).
lower_to() {
  if [ "$1" != max ] && [ "$1" -gt 0 ] && [ $((($1 + $2 - 1) / $2)) -lt "$cpus" ]; then cpus=$((($1 + $2 - 1) / $2)); fi
}

# CPUs this process may use: affinity, cut down to the cgroup's quota (containers).
usable_cpus() {
  local cpus quota period path
  cpus="$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2> /dev/null || echo 1)"
  path="$(sed -n 's/^0:://p' /proc/self/cgroup 2> /dev/null || true)"
  while :; do # a limit may sit on any folder above
    if [ -r "/sys/fs/cgroup$path/cpu.max" ] && read -r quota period < "/sys/fs/cgroup$path/cpu.max"; then lower_to "$quota" "$period"; fi
    [ -n "$path" ] || break
    path="${path%/*}"
  done
  if [ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
    lower_to "$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)" "$(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)"
  fi
  [ "$cpus" -ge 1 ] || cpus=1
  printf '%s\n' "$cpus"
}

# Not stamped: another container may grant other CPUs to the same clone.
export_threads() {
  # FOVEA_THREADS says that nobody chose: several processes then share them out.
  [ -n "${OMP_NUM_THREADS:-}" ] || { OMP_NUM_THREADS="$(usable_cpus)"; export FOVEA_THREADS="$OMP_NUM_THREADS"; }
  export OMP_NUM_THREADS
}

# Threads of libgomp wait awake for the next parallel loop, for some 16 ms by default: right where they have the processors to themselves, since being woken
# costs more than a small model's loop; wrong where other programs want them, which then slow every step down 4 to 80 times. So the time is cut where
# processors are short as a program starts: as many running tasks as processors, in most of a few looks.
export_waiting() {
  [ -z "${GOMP_SPINCOUNT:-}${OMP_WAIT_POLICY:-}" ] || return 0
  local look running rest busy=0
  for look in 1 2 3 4 5; do
    [ "$look" = 1 ] || sleep 0.02
    read -r _ _ _ running rest < /proc/loadavg || return 0
    [ $((${running%%/*} - 1)) -lt "$OMP_NUM_THREADS" ] || busy=$((busy + 1))
  done 2> /dev/null
  [ "$busy" -lt 4 ] || export GOMP_SPINCOUNT="$BUSY_SPINS"
}
BUSY_SPINS=1000
