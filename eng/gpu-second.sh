#!/usr/bin/env bash
# After eng/gpu-first.sh, while the machine is warm: where a step's time goes, kernel by kernel (ncu), and the memory checker over our own kernels
# (compute-sanitizer). Options --out FOLDER and --budget SECONDS; less than 300 seconds.
set -uo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
. "$ROOT/eng/gpu.sh"
gpu_begin gpu-second 290 "$@"
[ -x "$ROOT/dotnet/dotnet" ] || unpack
bridge_part 200 || results_end

# Some 4,300 launches are a step: the third one, after the libraries have chosen what they use.
part ncu 130 ncu --clock-control none --target-processes all --metrics gpu__time_duration.sum --launch-skip 9600 --launch-count 4400 --csv \
  --log-file "$RESULTS/ncu.csv" "$FOVEA_DOTNET" "$MANAGED/Fovea.Bench.dll" bench 7b --tokens 2048 --steps 1 --kept-blocks 28
# The mixer of Qwen3.5, warm-up and one round: which of its kernels takes how long.
part ncu-mixer 60 ncu --clock-control none --target-processes all --metrics gpu__time_duration.sum --launch-count 2000 --csv --log-file "$RESULTS/ncu-mixer.csv" \
  "$FOVEA_DOTNET" "$MANAGED/Fovea.Bench.dll" bench mixer --device cuda --steps 1
for name in ncu ncu-mixer; do
  python3 - "$RESULTS/$name.csv" > "$RESULTS/$name-kernels.txt" 2>&1 <<'P'
import collections, csv, re, sys
times = collections.defaultdict(lambda: [0, 0.0])
for row in csv.reader(open(sys.argv[1], errors='replace')):
    if len(row) > 14 and row[0].isdigit():
        try:
            value = float(row[-1].replace(',', ''))
        except ValueError:
            continue
        kernel = times[re.sub(r'\(.*', '', row[4])[:90]]
        kernel[0] += 1
        kernel[1] += value
for name, (count, value) in sorted(times.items(), key=lambda item: -item[1][1])[:45]:
    print(f'{value:12.0f} {count:6d} {name}')
P
  head -n 20 "$RESULTS/$name-kernels.txt" | tee -a "$RESULTS/summary.txt"
done
FOVEA_TEST_DEVICE=cuda part memcheck 100 compute-sanitizer --tool memcheck --target-processes all "$FOVEA_DOTNET" "$MANAGED/Fovea.Tests.dll" \
  -noLogo -noColor -class Fovea.Tests.Unit.Tensors.KernelTests -class Fovea.Tests.Unit.Tensors.DeltaRuleTests
grep -hE 'ERROR SUMMARY|Invalid|Total:' "$RESULTS/memcheck.log" 2> /dev/null | sort | uniq -c | head | tee -a "$RESULTS/summary.txt"
results_end
