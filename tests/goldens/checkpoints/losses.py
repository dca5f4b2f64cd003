"""Prints losses.json from what make.sh has left in the folder that it works in: losses.py VERSION_OF_LIBTORCH"""
import hashlib, json, os, sys

facts = {}
for line in open("/proc/cpuinfo"):
    if not line.strip():
        break
    key, _, value = line.partition(":")
    facts[key.strip()] = value.strip()
cases = {}
for line in open("cases"):
    name, config, ranks, start, overrides = line.rstrip("\n").split("\t")
    out = f"rest/{name}"
    first = json.load(open(f"{start}/trainer_state.json"))["global_step"] if os.path.isdir(start) else 0
    log = json.load(open(f"{out}/trainer_state.json"))["log_history"]
    results = [file for file in sorted(os.listdir(out)) if file.endswith((".safetensors", ".pth"))]
    cases[name] = dict(
        config=config, ranks=int(ranks), checkpoint=start, overrides=overrides.split(),
        losses=[entry["loss"] for entry in log if "loss" in entry and entry["step"] > first],
        results={file: hashlib.sha256(open(f"{out}/{file}", "rb").read()).hexdigest() for file in results})
json.dump(dict(
    commit="1454e90", processor=f"{facts['model name']} {facts['cpu family']}-{facts['model']}-{facts['stepping']}", libtorch=sys.argv[1], cases=cases),
    sys.stdout, indent=1)
print()
