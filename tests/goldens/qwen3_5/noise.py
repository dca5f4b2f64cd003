"""Prints how far the golden's own run (train_lora.json) moves when Transformers computes it in other ways that mean the same, and how far the logits of the
model with its adapter are from those of the merged model. No PEFT is needed: an adapter is y + (alpha / r) * B(A(x)), with adapter_init's values.
  noise.py MODEL_FOLDER [--family qwen3_5_moe] [VARIANT...]     (MODEL_FOLDER: see greedy.py)
Variants: sdpa (the golden's), eager, chunk32, chunk16, recurrent (delta rule), batch (a step's rows padded to one batch), ulp (the adapter's values moved by
their last bit), fp64. fp64 is the modelling file with every float32 made float64; it is what the others are compared with too, as the true value."""
import importlib.util, json, math, os, sys
import torch, torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

HERE, R, ALPHA = os.path.dirname(os.path.abspath(__file__)), 8, 16
arguments = sys.argv[1:]
FAMILY = arguments.pop(arguments.index("--family") + 1) if "--family" in arguments else "qwen3_5"
folder, wanted = arguments[0], [a for a in arguments[1:] if not a.startswith("--")]
DATA = os.path.join(HERE, "..", FAMILY)
torch.set_num_threads(1)
MODELLING = f"transformers.models.{FAMILY}.modeling_{FAMILY}"
CLASS = {"qwen3_5": "Qwen3_5ForConditionalGeneration", "qwen3_5_moe": "Qwen3_5MoeForConditionalGeneration"}[FAMILY]


def modelling(double):
    """The modelling file, in doubles throughout if wished."""
    spec = importlib.util.find_spec(MODELLING)
    module = importlib.util.module_from_spec(spec)
    with open(spec.origin, encoding="utf-8") as f:
        text = f.read()
    prefix = CLASS.removesuffix("ForConditionalGeneration")   # the parts from this file too, not by way of AutoModel
    for part, name in (("vision", "Vision"), ("text", "Text")):
        assert f"AutoModel.from_config(config.{part}_config)" in text
        text = text.replace(f"AutoModel.from_config(config.{part}_config)", f"{prefix}{name}Model._from_config(config.{part}_config)")
    if double:
        text = text.replace("torch.float32", "torch.float64").replace("dtype=torch.float)", "dtype=torch.float64)").replace(".float()", ".double()")
    sys.modules[MODELLING] = module
    exec(compile(text, spec.origin, "exec"), module.__dict__)
    return module


def load(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as f:
        return json.load(f)


class Adapter(torch.nn.Module):
    def __init__(self, base, a, b):
        super().__init__()
        self.base, self.A, self.B = base, torch.nn.Parameter(a), torch.nn.Parameter(b)

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(x, self.A), self.B) * (ALPHA / R)


def build(variant, merged=False, ulp=False):
    double = variant == "fp64"
    module = modelling(double)
    if variant.startswith("chunk"):
        rule, size = module.torch_chunk_gated_delta_rule, int(variant[5:])
        module.torch_chunk_gated_delta_rule = lambda *a, **k: rule(*a, **{**k, "chunk_size": size})
    if variant == "recurrent":
        known = ("g", "beta", "initial_state", "output_final_state", "use_qk_l2norm_in_kernel")
        module.torch_chunk_gated_delta_rule = lambda *a, **k: module.torch_recurrent_gated_delta_rule(*a, **{n: v for n, v in k.items() if n in known})
    dtype = torch.float64 if double else torch.float32
    torch.set_default_dtype(torch.float32)
    model = getattr(module, CLASS).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager" if variant == "eager" else "sdpa")
    if hasattr(model, "set_experts_implementation") and FAMILY.endswith("moe"):
        model.set_experts_implementation("eager")
    if double:
        model = model.double()
        for m in model.modules():   # angles anew, in doubles
            if hasattr(m, "inv_freq") and hasattr(m, "theta"):
                m.inv_freq = 1.0 / (m.theta ** (torch.arange(0, m.dim, 2, dtype=dtype) / m.dim))
            elif hasattr(m, "inv_freq") and hasattr(m, "compute_default_rope_parameters"):
                torch.set_default_dtype(dtype)
                m.inv_freq, _ = m.compute_default_rope_parameters(m.config)
                torch.set_default_dtype(torch.float32)
    model.requires_grad_(False)
    adapter, generator = load_file(os.path.join(DATA, "adapter_init", "adapter_model.safetensors")), torch.Generator().manual_seed(1)
    names = sorted({n.rsplit(".lora_", 1)[0] for n in adapter})
    for name in names:
        a, b = (adapter[f"{name}.lora_{side}.weight"] for side in "AB")
        if ulp:
            a, b = (x * (1 + 2.0**-23 * torch.randint(-1, 2, x.shape, generator=generator)) for x in (a, b))
        path = name.removeprefix("base_model.model.")
        parent, child = model.get_submodule(path.rsplit(".", 1)[0]), path.rsplit(".", 1)[1]
        base, a, b = getattr(parent, child), a.to(dtype), b.to(dtype)
        if merged:
            base.weight.data += (b @ a) * (ALPHA / R)
        else:
            setattr(parent, child, Adapter(base, a, b))
    return model, [p for p in model.parameters() if p.requires_grad], dtype


def inputs(rows, dtype):
    longest = max(len(r["ids"]) for r in rows)
    pad = lambda values, fill: torch.tensor([v + [fill] * (longest - len(v)) for v in values])
    ids = pad([r["ids"] for r in rows], 1978)
    e = dict(input_ids=ids, attention_mask=pad([[1] * len(r["ids"]) for r in rows], 0), mm_token_type_ids=(ids == 1990).int())
    pictures = [Image.open(os.path.join(DATA, "data", p)).convert("RGB") for r in rows for p in r["images"]]
    if pictures:
        e.update(processor(images=pictures, return_tensors="pt"))
        e["pixel_values"] = e["pixel_values"].to(dtype)
    return e, pad([r["labels"] for r in rows], -100)


def token_sum(model, rows, dtype):
    e, labels = inputs(rows, dtype)
    logits = model(**e).logits[:, :-1]
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=-100, reduction="sum")


def train(variant):
    from transformers import get_cosine_schedule_with_warmup
    model, params, dtype = build(variant, ulp=variant == "ulp")
    model.train()
    optimizer = torch.optim.AdamW(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    schedule, log = get_cosine_schedule_with_warmup(optimizer, 2, 20), []
    for step in range(20):
        rows = [train_rows[(step * 4 + i) % len(train_rows)] for i in range(4)]
        tokens, loss = sum(sum(label != -100 for label in r["labels"][1:]) for r in rows), 0
        for group in [rows] if variant == "batch" else [[r] for r in rows]:
            part = token_sum(model, group, dtype) / tokens
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(params, 1.0).item()
        optimizer.step(), schedule.step(), optimizer.zero_grad()
        log.append((loss, norm))
    return log


def final_logits(variant, merged):
    model, _, dtype = build(variant, merged)
    model.eval()
    with torch.no_grad():
        return {n: model(**inputs([dict(ids=s["input_ids"], labels=[], images=forward_rows[n].get("images", []))], dtype)[0]).logits[0] for n, s in forward.items()}


from transformers import AutoImageProcessor
processor = AutoImageProcessor.from_pretrained(folder, backend="torchvision")
train_rows = [dict(ids=e["input_ids"], labels=e["labels"], images=r.get("images", [])) for e, r in zip(load("train_encoded.json"), load("data/train.json"))]
forward_rows, forward = load("data/forward_rows.json"), {n: s for n, s in load("forward.json")["samples"].items() if n in ("one", "two", "text")}

for variant in ("sdpa", "fp64"):
    adapted, merged = final_logits(variant, False), final_logits(variant, True)
    for name in adapted:
        print(f"merged against adapted, {variant}, {name}: {(adapted[name] - merged[name]).abs().max().item():.2g}, largest logit {adapted[name].abs().max().item():.3g}", flush=True)

golden = [(step["loss"], step["grad_norm"]) for step in load("train_lora.json")["log"]]
runs = {"golden": golden}
for variant in wanted or ("sdpa", "eager", "chunk32", "chunk16", "recurrent", "batch", "ulp", "fp64"):
    runs[variant] = train(variant)
    for other in ("golden", "fp64"):
        if other in runs and other != variant:
            off = [abs(a / b - 1) for (_, a), (_, b) in zip(runs[variant], runs[other])]
            loss = max(abs(a - b) for (a, _), (b, _) in zip(runs[variant], runs[other]))
            print(f"{variant} against {other}: loss {loss:.2g}, norm {max(off):.2g} in step {off.index(max(off))}; by step: {' '.join(f'{x:.1g}' for x in off)}", flush=True)
if "fp64" in runs:
    for variant in runs:
        if variant != "fp64":
            off = [abs(a / b - 1) for (_, a), (_, b) in zip(runs[variant], runs["fp64"])]
            print(f"{variant} against fp64: norm {max(off):.2g}")
