"""20 steps of bitsandbytes' AdamW8bit on the CPU, for Fovea's test of its own (EightBitOriginalTests).

    optimizer.py WORK           writes WORK/adamw_8bit.safetensors, which lies in tests/goldens/optim

Weights and gradients are fractions that both sides compute to the last bit. `library/` is bitsandbytes as it is, whose CPU code rounds a number to 16 bits
before it looks for its code; in `nearest/` that look-up alone is replaced by the nearest code.
"""
import sys

import torch
from bitsandbytes.backends.cpu import ops
from bitsandbytes.functional import create_dynamic_map
from bitsandbytes.optim import AdamW8bit
from safetensors.torch import save_file

COUNT, STEPS, BLOCK = 600, 20, 256
at = torch.arange(COUNT, dtype=torch.int64)
weights = (at * 613 % 1021 - 510).float() / 4096


def gradient(step):
    return (at * (7919 + 62 * step) % 2047 - 1023).float() / 2 ** (10 + at % 5)


def nearest(x, code, tops, to, block):
    for i in range(tops.numel()):
        part = slice(i * block, (i + 1) * block)
        tops[i] = x[part].abs().max()
        to[part] = torch.bucketize(x[part] / tops[i], (code[:-1] + code[1:]) / 2).to(torch.uint8)


kept = {"map/signed": create_dynamic_map(True), "map/unsigned": create_dynamic_map(False)}
library = ops._quant_blockwise_fp32_direct
for kind, narrow in dict(library=library, nearest=nearest).items():
    ops._quant_blockwise_fp32_direct = narrow
    p = torch.nn.Parameter(weights.clone())
    optimizer = AdamW8bit([p], lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1, min_8bit_size=1)
    for step in range(1, STEPS + 1):
        p.grad = gradient(step)
        optimizer.step()
        if step in (1, STEPS):
            s = optimizer.state[p]
            for name, key in dict(mean="state1", square="state2", mean_scale="absmax1", square_scale="absmax2").items():
                kept[f"{kind}/{step}/{name}"] = s[key].flatten().clone()
            kept[f"{kind}/{step}/weight"] = p.data.clone()
p = torch.nn.Parameter(weights.clone())
optimizer = torch.optim.AdamW([p], lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)
for step in range(1, STEPS + 1):
    p.grad = gradient(step)
    optimizer.step()
save_file({k: v.contiguous() for k, v in kept.items()}, sys.argv[1] + "/adamw_8bit.safetensors")
for name in ("mean", "square"):
    a, b = (kept[f"{k}/{STEPS}/{name}"].int() for k in ("library", "nearest"))
    print(f"{name}: {(a != b).sum().item()} of {COUNT} codes after {STEPS} steps differ between the library's rounding and the nearest")
for kind in ("library", "nearest"):
    print(f"{kind}: weights from those of AdamW in fp32 at most {(kept[f'{kind}/{STEPS}/weight'] - p.data).abs().max().item():.2e}")
print("library and nearest: weights apart at most %.2e" % (kept[f"library/{STEPS}/weight"] - kept[f"nearest/{STEPS}/weight"]).abs().max().item())
for step in (1, STEPS):
    for name in ("mean", "square"):
        a, b = (kept[f"{k}/{step}/{name}"].int() for k in ("library", "nearest"))
        print(f"step {step}, {name}: {(a != b).sum().item()} of {COUNT} codes differ, by at most {(a - b).abs().max().item()}")
