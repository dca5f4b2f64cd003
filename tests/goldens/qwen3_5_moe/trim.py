"""Makes the results of generate.py small; needs nothing but Python.
  trim.py FROM   copies FROM's results here, without what no test reads: samples with videos, pixels, and most of what the dense model's goldens have too.
                 Every 7th value of fp32 tensors over 1 KiB stays (NAME@7, NAME@shape), but for the initial adapter, from which runs start.
"""
import json, os, re, struct, sys

HERE, EVERY, LARGE = os.path.dirname(os.path.abspath(__file__)), 7, 1024


def read(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    return {k: (v["dtype"], v["shape"], data[slice(*v["data_offsets"])]) for k, v in header.items() if k != "__metadata__"}


def thin(tensors):
    kept = {}
    for name, (dtype, shape, data) in tensors.items():
        if dtype == "F32" and len(data) > LARGE and "@" not in name:
            some = b"".join(data[i:i + 4] for i in range(0, len(data), 4 * EVERY))
            kept[f"{name}@{EVERY}"] = ("F32", [len(some) // 4], some)
            kept[f"{name}@shape"] = ("I64", [len(shape)], struct.pack(f"<{len(shape)}q", *shape))
        else:
            kept[name] = (dtype, shape, data)
    return kept


def write(path, tensors):
    header, at = {}, 0
    order = sorted(tensors, key=lambda k: (tensors[k][0] != "I64", k))
    for k in order:
        dtype, shape, data = tensors[k]
        header[k] = dict(dtype=dtype, shape=shape, data_offsets=[at, at + len(data)])
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(tensors[k][2] for k in order))


def short(j):
    """Numbers with nine digits, more than fp32 has."""
    if isinstance(j, float): return float(f"{j:.9g}")
    if isinstance(j, list): return [short(v) for v in j]
    return {k: short(v) for k, v in j.items()} if isinstance(j, dict) else j


def json_of(name, change=lambda j: j):
    j = change(json.load(open(f"{FROM}/{name}")))
    with open(f"{HERE}/{name}", "w") as f:
        json.dump(short(j), f, separators=(",", ":"))
        f.write("\n")


FROM = sys.argv[1]
VIDEO = ("video", "mixed")
FORWARD = re.compile(
    r"(one\.(vis\.merger|hidden_norm|layer\d\.(router|shared|moe_out)|layer[03]\.mixer_out)|text\.logits|\w+\.(logits_rows|logsumexp))")
GRADIENTS = re.compile(
    r"first_step_clipped_grad\.model\.(language_model\.(layers\.0\.(mlp\.(experts\.down|gate|shared)|post|linear_attn\.(dt_bias|norm))|layers\.3\..*lora|norm)"
    r"|visual\.merger\.norm)")
write(f"{HERE}/forward.safetensors", thin({k: v for k, v in read(f"{FROM}/forward.safetensors").items() if not k.startswith(VIDEO) and FORWARD.match(k)}))
for run in ("train_lora", "train_full"):
    kept = {k: v for k, v in read(f"{FROM}/{run}.safetensors").items() if k.startswith("final_logits.text") or GRADIENTS.match(k)}
    write(f"{HERE}/{run}.safetensors", thin(kept))
    json_of(f"{run}.json")
write(f"{HERE}/adapter_final/adapter_model.safetensors", thin(read(f"{FROM}/adapter_final/adapter_model.safetensors")))
KEYS = ("input_ids", "position_ids", "rope_delta", "image_grid_thw", "nll")
json_of("forward.json", lambda j: dict(samples={k: {key: v[key] for key in KEYS if key in v} for k, v in j["samples"].items() if k not in VIDEO}))
