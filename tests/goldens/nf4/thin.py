"""Keeps of what generate.py wrote (folder FROM) what the tests compare with.   python thin.py FROM
Of a few tensors their 4-bit form: the largest is there for its two nested blocks of scales alone, and of numbers unpacked through double quantisation every
seventh stays. Of the checkpoint: of each weight in 4 bits a hash over its tensors, a hash over names, types and shapes of all tensors, what config.json says of
it, the losses, and every seventh logit."""
import hashlib, json, os, struct, sys

KEPT = """probe_64 odd_33x65_fp32 tail_of_one_5x13_fp32 one_value shorter_than_a_block_7x3 zero_blocks_16x64_fp32 all_zero_4x64_fp32 signed_zero_and_tiny_2x64
bf16_48x80 fp16_48x80 fp16_extremes_4x96 bf16_many_blocks_130x200 thresholds_1x64 thresholds_scaled_1x64 three_dims_3x5x32 blocksize_128_20x50 fp4_16x64""".split()
SCALES = "single.absmax double.absmax double.nested_absmax".split()
SUFFIXES = "input single.packed single.dequantized".split() + SCALES
SIZES, SHORT = {"F32": 4, "F16": 2, "BF16": 2, "U8": 1}, {"bfloat16": "BF16", "float32": "F32", "uint8": "U8"}
here, source = os.path.dirname(os.path.abspath(__file__)), sys.argv[1]


def read(name):
    with open(os.path.join(source, name), "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(size)), f.read()
    return {k: (v["dtype"], v["shape"], data[slice(*v["data_offsets"])]) for k, v in header.items() if k != "__metadata__"}


def write(name, tensors):
    header, at = {}, 0
    for k in sorted(tensors, key=lambda k: (-{"I64": 8, **SIZES}[tensors[k][0]], k)):
        dtype, shape, data = tensors[k]
        header[k] = dict(dtype=dtype, shape=shape, data_offsets=[at, at + len(data)])
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(here, name), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(tensors[k][2] for k in header))


def every_seventh(tensor):
    dtype, shape, data = tensor
    size = SIZES[dtype]
    kept = b"".join(data[i : i + size] for i in range(0, len(data), 7 * size))
    return dtype, [len(kept) // size], kept


def tensors():
    all = read("tensors.safetensors")
    kept = {name: all[name] for name in ("nf4_code", "fp4_code", "dynamic_map_256")}
    for case in KEPT:
        many = "many_blocks" in case
        kept.update({f"{case}.{suffix}": all[f"{case}.{suffix}"] for suffix in (SCALES if many else SUFFIXES)})
        if not many:
            kept[f"{case}.double.dequantized@7"] = every_seventh(all[f"{case}.double.dequantized"])
    write("tensors.safetensors", kept)
    described = json.load(open(os.path.join(source, "tensors.json")))
    json.dump({case: described[case] for case in KEPT}, open(os.path.join(here, "tensors.json"), "w"), indent=1)


def checkpoint():
    line = lambda name, dtype, shape: f"{name} {dtype} {','.join(map(str, shape))}\n".encode()
    linears, weights = read("checkpoint/model-linears-nf4.safetensors"), {}
    for name in sorted(linears):
        stem = name[: name.index(".weight") + len(".weight")]
        weights.setdefault(stem, hashlib.sha256()).update(line(name, *linears[name][:2]) + linears[name][2])
    keys = json.load(open(os.path.join(source, "checkpoint/keys.json")))["all_keys"]
    described = b"".join(line(k, SHORT[t], s) for k, (t, s) in sorted(keys.items()))
    expected, kept = read("checkpoint/expected.safetensors"), {}
    for name in (f"s{sample}.last_logits" for sample in (0, 2, 5)):
        kept[f"{name}@7"] = every_seventh(expected[name])
        kept[f"{name}@shape"] = ("I64", [2], struct.pack("<2q", *expected[name][1]))
    write("checkpoint.safetensors", kept)
    json.dump(dict(
        weights={k: h.hexdigest() for k, h in weights.items()}, count=len(keys), keys=hashlib.sha256(described).hexdigest(),
        quantization_config=json.load(open(os.path.join(source, "checkpoint/config.transformers5.json")))["quantization_config"],
        loss=json.load(open(os.path.join(source, "checkpoint/expected.json")))["loss"]), open(os.path.join(here, "checkpoint.json"), "w"), indent=1)


tensors()
checkpoint()
