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
