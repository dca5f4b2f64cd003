"""Makes the goldens of MiniCPM-V, of the tiny Qwen2.5-VL and of MiniMind-V small, after minicpm_v26/subset.py, qwen2_5_vl_tiny/make/trim.py
and minimind_a/prune.py. Needs torch.
  shrink.py [GOLDENS_FOLDER]
1. model.safetensors becomes weights.json: seed, order, deviation and mean of the draws that made it, with its first and last value; what was not drawn goes to
   kept.safetensors. It is checked here that the draws give every bit back. The tests draw the file again (tests/DrawnModel.cs).
   FILE.pth becomes weights/weights.json in the same way; names that share the values of another are its ties.
2. Of large results every 7th value stays: NAME becomes NAME@7 and NAME@shape (tests/Parity/Golden.cs). Pixels, which tests feed to models, stay whole;
   those of Qwen's processors have few different values: NAME becomes NAME@palette and NAME@bytes, the place of each in it. Nothing is lost."""
import array, json, math, os, struct, sys
import torch

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
EVERY, LARGE = 7, 16384
TYPES = {"F32": torch.float32, "I64": torch.int64}


def read(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    return {k: (v["dtype"], v["shape"], data[slice(*v["data_offsets"])]) for k, v in header.items() if k != "__metadata__"}


def write(path, tensors):
    header, at = {}, 0
    for k, (dtype, shape, data) in sorted(tensors.items(), key=lambda t: ("IFU".index(t[1][0][0]), t[0])):
        header[k] = dict(dtype=dtype, shape=shape, data_offsets=[at, at + len(data)])
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(tensors[k][2] for k in header))


def values(dtype, shape, data):
    return torch.frombuffer(bytearray(data), dtype=TYPES[dtype]).view(shape)


def cpm(v2):
    def rule(n, s):
        if len(s) == 1:
            return (0.2, 1.0) if n.endswith("weight") else (0.15, 0.0)
        if "embed_tokens" in n:
            return (0.08 if v2 else 0.5), 0.0
        if "lm_head" in n:
            return (3.2 if v2 else 0.8) / math.sqrt(s[1]), 0.0
        if "pos_embed" in n or "position_embedding" in n:
            return 0.5, 0.0
        if n == "resampler.query":
            return 1.0, 0.0
        if any(part in n for part in ("in_proj_weight", "attn.qkv.weight", ".self_attn.q_proj", ".self_attn.k_proj")):
            return 1.5 / math.sqrt(s[1]), 0.0
        return 1.2 / math.sqrt(math.prod(s[1:])), 0.0
    return rule


def qwen(n, s):
    return (0.06, 0.0) if len(s) > 1 else (0.1, 0.0) if n.endswith("bias") else (0.1, 1.0)


def minimind(n, s):
    if len(s) == 1:
        return (0.2, 1.0) if n.endswith("weight") else (0.1, 0.0)
    if n in ("model.embed_tokens.weight", "tok_embeddings.weight"):
        return 0.1, 0.0
    if "position_embedding" in n:
        return 0.5, 0.0
    return (0.3 if n.endswith("gate.weight") and s[0] <= 8 else 1.3 / math.sqrt(math.prod(s[1:]))), 0.0


def clip(n, s):
    return (0.5, 0.0) if "class_embedding" in n else (0.2, 0.0) if len(s) == 0 else minimind(n, s)


def weights(folder, seed, rule):
    folder = f"{ROOT}/{folder}"
    path = f"{folder}/model.safetensors"
    if not os.path.exists(path):
        return
    stored = read(path)
    draws, left = drawn({k: values(*v) for k, v in stored.items()}, seed, rule)
    assert set(left) <= {"resampler.pos_embed"}, sorted(left)
    note(folder, dict(seed=seed, draws=draws))
    if left:
        write(f"{folder}/kept.safetensors", {k: stored[k] for k in left})
    os.remove(path)


def pth(folder, name, seed, rule):
    path = f"{ROOT}/{folder}/{name}"
    if not os.path.exists(path):
        return
    places, ties, own = {}, {}, {}
    for k, v in torch.load(path, weights_only=True).items():
        if v.data_ptr() in places:
            ties[k] = places[v.data_ptr()]
        else:
            places[v.data_ptr()] = k
            own[k] = v
    draws, left = drawn(own, seed, rule)
    assert not left, sorted(left)
    os.makedirs(f"{ROOT}/{folder}/weights", exist_ok=True)
    note(f"{ROOT}/{folder}/weights", dict(seed=seed, file=name, ties=ties, draws=draws))
    os.remove(path)


def note(folder, recipe):
    with open(f"{folder}/weights.json", "w") as f:
        f.write(json.dumps(recipe).replace("}, {", "},\n{") + "\n")


def drawn(left, seed, rule):
    stream, draws = torch.Generator().manual_seed(seed), []
    while left:
        # Which one comes next shows in its first values.
        state = stream.get_state()
        firsts = {}
        for count in {min(16, v.numel()) for v in left.values()}:
            firsts[count] = torch.randn(count, generator=stream)
            stream.set_state(state)
        name = min(left, key=lambda k: ((left[k].flatten()[:16] - rule(k, left[k].shape)[1]) / rule(k, left[k].shape)[0]
                                        - firsts[min(16, left[k].numel())]).abs().max())
        (deviation, mean), shape = rule(name, left[name].shape), left[name].shape
        drawn = torch.randn(shape, generator=stream) * deviation + mean
        if not torch.equal(drawn, left[name]):
            break
        flat = left.pop(name).flatten()
        draws.append(dict(name=name, shape=list(shape), deviation=deviation, mean=mean, first=flat[0].item(), last=flat[-1].item()))
    return draws, left


def thin(path, large=LARGE):
    kept = {}
    for name, (dtype, shape, data) in read(path).items():
        if dtype == "F32" and len(data) > large and "pixel" not in name and "@" not in name:
            some = values(dtype, shape, data).flatten()[::EVERY].contiguous()
            kept[f"{name}@{EVERY}"] = (dtype, [len(some)], some.numpy().tobytes())
            kept[f"{name}@shape"] = ("I64", [len(shape)], struct.pack(f"<{len(shape)}q", *shape))
        else:
            kept[name] = (dtype, shape, data)
    write(path, kept)


def palette(path):
    kept = {}
    for name, (dtype, shape, data) in read(path).items():
        words = array.array("I", data) if "pixel" in name and dtype == "F32" and "@" not in name else []
        colours = sorted(set(words))
        if 0 < len(colours) <= 256:
            place = {word: i for i, word in enumerate(colours)}
            kept[f"{name}@palette"] = (dtype, [len(colours)], array.array("I", colours).tobytes())
            kept[f"{name}@bytes"] = ("U8", shape, bytes(place[word] for word in words))
        else:
            kept[name] = (dtype, shape, data)
    write(path, kept)


for version, seed in (("minicpm_v45", 45), ("minicpm_v4_derived", 81), ("minicpm_v26", 61), ("minicpm_v25", 71), ("minicpm_v2", 71)):
    weights(f"{version}/model", seed, cpm(version == "minicpm_v2"))
    for name in ("forward", "train_full", "train_lora"):
        if os.path.exists(f"{ROOT}/{version}/{name}.safetensors"):
            thin(f"{ROOT}/{version}/{name}.safetensors", LARGE // 2 if name == "forward" else LARGE)
weights("qwen2_5_vl_tiny/model", 20240917, qwen)
thin(f"{ROOT}/qwen2_5_vl_tiny/forward.safetensors")
thin(f"{ROOT}/qwen2_5_vl_tiny/train_tokens.safetensors", 2048)
for folder in ("qwen2_5_vl_tiny", "qwen3_vl"):
    palette(f"{ROOT}/{folder}/forward.safetensors")
pth("minimind_a/dense", "lm_64.pth", 21, minimind)
pth("minimind_c/dense", "llm_64.pth", 41, minimind)
weights("minimind_a/vision/clip-vit-base-patch16", 11, clip)
weights("minimind_c/vision/siglip2-base-p32-256-ve", 31, minimind)
pth("minimind_a/moe", "lm_64_moe.pth", 216, minimind)
pth("minimind_c/moe", "llm_64_moe.pth", 301, minimind)
