"""Makes the results of generate.py small; needs nothing but Python.
  trim.py FROM   copies FROM's results here, without what no test reads: samples with videos, and parts of the recurrence. Every 7th
                 value of fp32 tensors over 2 KiB stays (NAME@7, NAME@shape), but for the initial adapter, from which runs start.
"""
import json, os, struct, sys

HERE, EVERY, LARGE = os.path.dirname(os.path.abspath(__file__)), 7, 2048


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
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(tensors[k][2] for k in order))


def json_of(name, change=lambda j: j):
    j = change(json.load(open(f"{FROM}/{name}")))
    with open(f"{HERE}/{name}", "w") as f:
        json.dump(j, f)
        f.write("\n")


FROM = sys.argv[1]
VIDEO = ("video", "mixed")
parts = read(f"{FROM}/forward.safetensors")
inner = [f"layer{i}.{part}" for i in range(4) for part in ("gdn", "in", "mixer", "k_norm", "q_norm")]
inner += [f"{name}.{part}" for name in ("two", "resized", "text", "turns", "long") for part in ("inputs_embeds", "patches")]
write(f"{HERE}/forward.safetensors", thin({k: v for k, v in parts.items() if not k.startswith(VIDEO) and not any(part in k for part in inner)}))
for run in ("train_lora", "train_full"):
    write(f"{HERE}/{run}.safetensors", thin(read(f"{FROM}/{run}.safetensors")))
    json_of(f"{run}.json")
write(f"{HERE}/adapter_final/adapter_model.safetensors", thin(read(f"{FROM}/adapter_final/adapter_model.safetensors")))
json_of("forward.json", lambda j: dict(samples={k: v for k, v in j["samples"].items() if k not in VIDEO}, one_4x=j["one_4x"], processing=j["processing"]))
