"""Keeps of the checkpoint that generate.py wrote (folder FROM) what the tests compare with: of each weight in 4 bits a hash over its tensors, a hash over names,
types and shapes of all tensors, what config.json says of it, the losses, and every seventh logit.   python thin_checkpoint.py FROM"""
import hashlib, json, os, struct, sys

here, source = os.path.dirname(os.path.abspath(__file__)), os.path.join(sys.argv[1], "checkpoint")
SHORT = {"bfloat16": "BF16", "float32": "F32", "uint8": "U8"}


def read(name):
    with open(os.path.join(source, name), "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(size)), f.read()
    return {k: (v["dtype"], v["shape"], data[slice(*v["data_offsets"])]) for k, v in header.items() if k != "__metadata__"}


def line(name, dtype, shape):
    return f"{name} {dtype} {','.join(map(str, shape))}\n".encode()


tensors = read("model-linears-nf4.safetensors")
weights = {}
for name in sorted(tensors):
    stem = name[: name.index(".weight") + len(".weight")]
    weights.setdefault(stem, hashlib.sha256()).update(line(name, *tensors[name][:2]) + tensors[name][2])
keys = json.load(open(os.path.join(source, "keys.json")))["all_keys"]
described = b"".join(line(k, SHORT[t], s) for k, (t, s) in sorted(keys.items()))
expected = read("expected.safetensors")
kept = {}
for sample in ("s0", "s2", "s5"):
    dtype, shape, data = expected[f"{sample}.last_logits"]
    values = struct.unpack(f"<{len(data) // 4}f", data)[::7]
    kept[f"{sample}.last_logits@7"] = (dtype, [len(values)], struct.pack(f"<{len(values)}f", *values))
    kept[f"{sample}.last_logits@shape"] = ("I64", [len(shape)], struct.pack(f"<{len(shape)}q", *shape))
header, at = {}, 0
for name in sorted(kept, key=lambda k: (kept[k][0] != "I64", k)):
    header[name] = dict(dtype=kept[name][0], shape=kept[name][1], data_offsets=[at, at + len(kept[name][2])])
    at += len(kept[name][2])
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(os.path.join(here, "checkpoint.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(kept[k][2] for k in header))
json.dump(dict(
    weights={k: h.hexdigest() for k, h in weights.items()}, count=len(keys), keys=hashlib.sha256(described).hexdigest(),
    quantization_config=json.load(open(os.path.join(source, "config.transformers5.json")))["quantization_config"],
    loss=json.load(open(os.path.join(source, "expected.json")))["loss"]), open(os.path.join(here, "checkpoint.json"), "w"), indent=1)
