# What the scripts for a machine with a GPU share: the pack for one without .NET, setting up, options, and results that are renewed as it goes. Sourced,
# with ROOT set.
for file in common cpus setup build; do
  # shellcheck disable=SC1090
  . "$ROOT/eng/$file.sh"
done

PACK="${PACK:-$ROOT/.gpu/pack.tar.xz}"
# A borrowed machine takes 64 MiB in all: files under version control and the pack. Some room is left.
PACK_LIMIT=62
CODEC_NAMES="libturbojpeg.so.0 libjpeg.so.62 libwebp.so.7 libwebpdemux.so.2 libsharpyuv.so.0"
# Of the .NET runtime, what neither fovea nor its tests load: debuggers, tracing, other collectors, other languages, parts of the library.
NOT_IN_PACK='libmscordaccore\.so|libmscordbi\.so|libclrgc\.so|libclrgcexp\.so|libcoreclrtraceptprovider\.so|createdump|Microsoft\.VisualBasic.*\.dll|Microsoft\.CSharp\.dll|System\.Data\.Common\.dll|System\.Private\.DataContractSerialization\.dll|System\.Linq\.AsyncEnumerable\.dll|System\.Net\.(Mail|HttpListener|Quic|Requests)\.dll|System\.Transactions\.Local\.dll|System\.Threading\.Tasks\.Dataflow\.dll|System\.Text\.Encoding\.CodePages\.dll'
# Nothing is served and no page is shown there: ASP.NET Core itself, but for what it shares with other programs, and what tests ask servers and browsers with.
NOT_IN_PACK="$NOT_IN_PACK"'|Microsoft\.AspNetCore(\.[A-Za-z.]+)?\.dll|Microsoft\.JSInterop\.dll|Microsoft\.Extensions\.(Identity|Localization)\..*\.dll|System\.(Formats\.Cbor|Security\.Cryptography\.(Pkcs|Xml)|Diagnostics\.EventLog)\.dll|aspnetcorev2_inprocess\.dll'
NOT_IN_PACK="$NOT_IN_PACK"'|OpenAI\.dll|System\.ClientModel\.dll|Microsoft\.Playwright\.dll|Microsoft\.Extensions\.AI(\.Abstractions)?\.dll'
# What only tests of files and schemas use, and the test platform's telemetry. Apache.Arrow.Compression, which opening any Arrow file loads, unpacks Zstandard
# with ZstdSharp: compressed Arrow files do not work there, others do.
NOT_IN_PACK="$NOT_IN_PACK"'|(JsonSchema\.Net|JsonPointer\.Net|Json\.More|Humanizer|Parquet|ZstdSharp|Snappier|CommunityToolkit\.HighPerformance|Microsoft\.ApplicationInsights|Microsoft\.Testing\.Extensions\.[A-Za-z.]+)\.dll'

# pack_files: a line "file<TAB>name in the pack" for each; sources, tests' inputs and scripts travel with the checkout.
pack_files() {
  local file name
  for file in "$ROOT"/artifacts/bin/Fovea.Tests/release/*.dll "$ROOT"/artifacts/bin/Fovea.Tests/release/*.json; do
    grep -qE "^($NOT_IN_PACK)\$" <<< "${file##*/}" || printf '%s\tmanaged/%s\n' "$file" "${file##*/}"
  done
  printf '%s\tdotnet/dotnet\n' "$DOTNET_HOME/dotnet"
  (cd "$DOTNET_HOME" && find -L host $(runtimes) -type f) | grep -vE "/($NOT_IN_PACK)\$" | while read -r file; do
    [ "${file%Core.App.deps.json}" != "$file" ] || printf '%s\tdotnet/%s\n' "$DOTNET_HOME/$file" "$file"
  done
  for name in $CODEC_NAMES; do [ ! -e "$FOVEA_CODECS/$name" ] || printf '%s\tcodecs/%s\n' "$FOVEA_CODECS/$name" "$name"; done
}

# The base runtime, and of ASP.NET Core what remains of it.
runtimes() {
  printf 'shared/Microsoft.NETCore.App/%s\n' "$DOTNET_VERSION"
  printf 'shared/Microsoft.AspNetCore.App/%s\n' "$(ls "$DOTNET_HOME/shared/Microsoft.AspNetCore.App" | sort -V | tail -n 1)"
}

# The host refuses a runtime that lacks what its list names: entries of what is left out go too.
shortened_list() {
  awk -v out="^ *\"([^\"]*/)?($NOT_IN_PACK)\": *\\\\{" '
    skip { if (/}/) skip = 0; next }
    $0 ~ out { if (!/}/) skip = 1; next }
    { lines[++n] = $0 }
    END { for (i = 1; i <= n; i++) { if (lines[i + 1] ~ /^ *}/) sub(/,$/, "", lines[i]); print lines[i] } }' "$1"
}

# make_pack FILE: checkout and pack together must be what a borrowed machine takes.
make_pack() {
  local target="$1" stage runtime file name tracked size
  stage="$(mktemp -d)"
  # shellcheck disable=SC2064 # expanded now
  trap "rm -rf '$stage'" EXIT
  pack_files | while IFS=$'\t' read -r file name; do
    mkdir -p "$stage/$(dirname "$name")"
    cp -L "$file" "$stage/$name"
  done
  for runtime in $(runtimes); do
    name="$(basename "$(dirname "$runtime")").deps.json"
    shortened_list "$DOTNET_HOME/$runtime/$name" > "$stage/dotnet/$runtime/$name"
  done
  for file in "$stage"/managed/*.deps.json; do
    shortened_list "$file" > "$file.new"
    mv "$file.new" "$file"
  done
  "$stage/dotnet/dotnet" --list-runtimes > /dev/null || die "the runtime in the pack does not start."
  mkdir -p "$(dirname "$target")"
  tar -C "$stage" --sort=name --owner=0 --group=0 --mtime=@0 -cf - dotnet managed codecs | xz --threads=1 --x86 --lzma2=preset=6e,dict=64MiB > "$target.new"
  mv "$target.new" "$target"
  size="$(stat -c %s "$target")" tracked="$(cd "$ROOT" && git ls-files -z | xargs -0 stat -c %s 2> /dev/null | awk '{ s += $1 } END { print s + 0 }')"
  say "$target: $((size / 1048576)) MiB; files under version control: $((tracked / 1048576)) MiB"
  [ $((size + tracked)) -le $((PACK_LIMIT * 1048576)) ] || die "together they are more than the $PACK_LIMIT MiB that a borrowed machine takes." \
    "Make tests/goldens smaller, or add to NOT_IN_PACK in eng/gpu.sh."
}

# The pack's three folders lie in the checkout's root, which ignores them.
unpack() {
  [ -e "$PACK" ] || return 0
  tar -C "$ROOT" -xJf "$PACK" 2> /dev/null || python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="data")' "$PACK" "$ROOT"
}

# Sets MANAGED (folder of Fovea.Cli.dll, Fovea.Bench.dll and Fovea.Tests.dll) and exports what managed code is told. Built or unpacked as this machine can.
prepare() {
  local new="$STATE/gpu-environment"
  load_all
  mkdir -p "$STATE"
  check_platform
  export_threads
  find_libtorch
  if [ -x "$ROOT/dotnet/dotnet" ]; then
    # shellcheck disable=SC2034 # read by environment
    DOTNET_SYSTEM="$ROOT/dotnet/dotnet" DOTNET_HOME="$ROOT/dotnet" MANAGED="$ROOT/managed" CODECS="$ROOT/codecs"
    [ -z "$TORCH_PREFIX" ] || die "the pack serves beside PyTorch or another libtorch of this system; none was found, or no compiler for it." \
      "Install both (pip install torch; apt-get install g++), or use a checkout with the .NET SDK."
    DOTNET="$DOTNET_SYSTEM"
    export FOVEA_ROOT="$ROOT" LD_LIBRARY_PATH="$CODECS${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  else
    require_dotnet
    find_codecs
    prepare_host
    MANAGED="$ROOT/artifacts/bin/Fovea.Tests/release"
  fi
  prepare_bridge
  say "libtorch $TORCH_VERSION in $TORCH_ROOT; CUDA: ${TORCH_CUDA:-0}; nvcc: ${NVCC:-none}; CUDA headers: ${CUDA_HEADERS:-none}; bridge: $BRIDGE"
  environment > "$new"
  # shellcheck disable=SC1090
  . "$new"
  [ -x "$ROOT/dotnet/dotnet" ] || build Fovea.slnx
}

# As the launcher does: benches are a program of their own.
fovea() {
  local program=fovea
  [ "${1:-}" != bench ] || program=Fovea.Bench
  "$FOVEA_DOTNET" "$MANAGED/$program.dll" "$@"
}

tests() { "$FOVEA_DOTNET" "$MANAGED/Fovea.Tests.dll" -noLogo -noColor "$@"; }

# The name of the GPU, or nothing.
gpu_name() { nvidia-smi --query-gpu=name --format=csv,noheader 2> /dev/null | head -n 1 || true; }

# What runs on the GPU to see that it computes what it should: tests that ask TestDevice where to compute. The first needs no model.
ON_ANY_DEVICE=(-class Fovea.Tests.Unit.Tensors.KernelTests -class Fovea.Tests.Unit.Tensors.DeltaRuleTests -class 'Fovea.Tests.Unit.Devices.*')
PARITY=("${ON_ANY_DEVICE[@]}")
for class in Unit.Tensors.LinearCrossEntropyTests Unit.Training.StepFeedTests Parity.Qwen25Vl.ForwardTests Parity.Qwen25Vl.TrainingTests \
  Parity.MiniCpmV.ForwardTests Parity.MiniCpmV.TrainingTests Parity.MiniMindV.ForwardTests Parity.MiniMindV.GradientTests Parity.Qwen35.ForwardTests; do
  PARITY+=(-class "Fovea.Tests.$class")
done

# ---- results: a folder of logs; summary.txt and results.tar.gz in $OUT are never older than 25 s, and the only two files there ----

# gpu_begin NAME SECONDS [--out FOLDER] [--budget SECONDS]: options of the script eng/NAME.sh, which ends after so many seconds, and its results begun.
gpu_begin() {
  local name="$1" out="${OUT:-$ROOT/artifacts/$1}" budget="$2"
  shift 2
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || die "$1 needs a value"
    case "$1" in
      --out) out="$2" ;;
      --budget) budget="$2" ;;
      *) die "unknown option $1" "The options stand at the top of eng/$name.sh." ;;
    esac
    shift 2
  done
  export PYTHONUNBUFFERED=1
  # Such machines show little memory until it is used, and by it the compilers would be counted.
  export FOVEA_JOBS="${FOVEA_JOBS:-$(nproc)}"
  results_begin "$out" "$budget"
}

# results_begin OUT SECONDS [FOLDER]: no part runs when so much time is over.
results_begin() {
  OUT="$1" BUDGET="$2" BEGAN=$SECONDS
  RESULTS="${3:-$ROOT/artifacts/gpu-results}"
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS" "$OUT" || die "cannot write to $OUT"
  FAILED=()
  trap results_keep EXIT
  trap 'exit 143' TERM INT HUP
  # Its output goes nowhere: whoever reads this script's would wait for the last sleep.
  (while sleep 25; do results_keep; done) > /dev/null 2>&1 &
  KEEPER=$!
}

results_keep() {
  cp -r "$CACHE/log" "$RESULTS/build-log" 2> /dev/null
  local new="$RESULTS.$BASHPID.tar.gz"
  tar -C "$(dirname "$RESULTS")" -czf "$new" "$(basename "$RESULTS")" && mv "$new" "$OUT/results.tar.gz"
  cp "$RESULTS/summary.txt" "$OUT/summary.txt" 2> /dev/null || true
}

note() { printf '[%3ds] %s\n' $((SECONDS - BEGAN)) "$*" | tee -a "$RESULTS/summary.txt"; }

seconds_left() { echo $((BUDGET - (SECONDS - BEGAN))); }

# part NAME SECONDS COMMAND...: its output goes to NAME.log, how it ended to the summary. Ended after SECONDS, or where the time for all is over.
part() {
  local name="$1" most="$2" from=$SECONDS status=0 watch pid
  shift 2
  [ "$most" -lt "$(seconds_left)" ] || most=$(($(seconds_left) - 10))
  if [ "$most" -le 5 ]; then
    note "$name: no time left"
    FAILED+=("$name")
    return 1
  fi
  set -m # a group of its own, so that all of it can be ended
  "$@" > "$RESULTS/$name.log" 2>&1 < /dev/null &
  pid=$!
  (sleep "$most"; kill -TERM -- -$pid; sleep 5; kill -KILL -- -$pid) > /dev/null 2>&1 &
  watch=$!
  set +m
  wait $pid 2> /dev/null || status=$?
  kill -TERM -- -$watch 2> /dev/null
  wait $watch 2> /dev/null || true
  [ $((SECONDS - from)) -lt "$most" ] || printf 'ended after %s s\n' "$most" >> "$RESULTS/$name.log"
  note "$name: rc $status, $((SECONDS - from)) s"
  if [ $status -ne 0 ]; then
    FAILED+=("$name")
    # In a compiler's long output the error stands first.
    { grep -m 3 -E 'error:|\[FAIL\]' "$RESULTS/$name.log"; tail -n 8 "$RESULTS/$name.log"; } | cut -c1-300 | tee -a "$RESULTS/summary.txt"
  fi
  return $status
}

# Parts end with failures remembered: 0 when there was none, else 3.
results_end() {
  kill "$KEEPER" 2> /dev/null || true
  wait "$KEEPER" 2> /dev/null || true
  note "finished${FAILED[*]:+; failed: ${FAILED[*]}}"
  [ ${#FAILED[@]} -eq 0 ] || exit 3
}

# bridge_part SECONDS: sets up as prepare does. What does not compile is left out rather than all: kernels of our own, for which libtorch's operators serve
# too, or collectives, without which one GPU does.
bridge_part() {
  local found="$RESULTS/prepared.sh" without
  # Bash's own form, "declare", would set them for this function alone.
  prepare_to() { set -e; prepare; { printf 'MANAGED=%q\n' "$MANAGED"; export -p | sed 's/^declare -x /export /'; } > "$found"; }
  if ! part bridge "$1" prepare_to; then
    printf '#!/bin/sh\nexec %s -DFOVEA_NO_C10D "$@"\n' "${CXX:-g++}" > "$STATE/cxx"
    chmod +x "$STATE/cxx"
    without="collectives kernels"
    ! grep -q 'compilation of ".*\.cu"' "$RESULTS/bridge.log" || without="kernels collectives"
    for without in $without; do
      case $without in collectives) export CXX="$STATE/cxx" ;; kernels) export FOVEA_NVCC=none ;; esac
      ! part "bridge-without-$without" "$1" prepare_to || break
    done
    [ -e "$found" ] || return 1
  fi
  # shellcheck disable=SC1090
  . "$found"
}

# bench_7b NAME SECONDS OPTION...
bench_7b() { local name="$1" most="$2"; shift 2; part "$name" "$most" fovea bench 7b "$@" --json "$RESULTS/$name.json"; }

# bench_mixer NAME SECONDS OPTION...: the mixer of Qwen3.5, its delta rule by our kernels, and by operators of libtorch.
bench_mixer() { local name="$1" most="$2"; shift 2; part "$name" "$most" fovea bench mixer --device cuda --json "$RESULTS/$name.json" "$@"; }

# peer_7b NAME SECONDS OPTION...: the same training by Transformers and PEFT, where python3 has them.
peer_7b() {
  local name="$1" most="$2" attention=sdpa
  shift 2
  python3 -c 'import flash_attn' 2> /dev/null && attention=flash_attention_2
  part "$name" "$most" python3 "$ROOT/bench/peer/7b.py" "$@" --attention $attention --json "$RESULTS/$name.json"
}

has_peer() { python3 -c 'import importlib.util as u, sys; sys.exit(not all(u.find_spec(n) for n in ("torch", "transformers")))' 2> /dev/null; }

# The figures of every JSON file, a line each.
figures() {
  python3 - "$RESULTS" <<'P'
import glob, json, os, sys
for name in sorted(glob.glob(os.path.join(sys.argv[1], '*.json'))):
    try:
        r = json.load(open(name))
    except ValueError:
        print(os.path.basename(name), 'is no whole JSON')
        continue
    if r.get('job') == 'mixer':
        print(os.path.basename(name), r['settings'], {k: round(x, 6) for k, x in r['figures'].items() if k.endswith('median')})
        continue
    keys = ('step_seconds_median', 'tokens_per_second', 'mfu', 'product_tflop_per_second', 'peak_memory_gib', 'kept_blocks', 'counted_gib')
    shown = {k: round(r[k], 3) if isinstance(r[k], float) else r[k] for k in keys if r.get(k) is not None}
    print(os.path.basename(name), shown, 'losses', [round(x, 3) for x in r.get('losses') or []][:3])
P
}
