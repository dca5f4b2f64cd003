"""Makes optimizers.json: 20 steps of torch.optim.SGD, torch.optim.Muon (with torch.optim.AdamW for the rest), transformers.optimization.Adafactor and Lion's
formula on drawn weights and gradients. Needs torch and transformers (made with 2.14 and 5.12).
  optimizers.py"""
import json, os
import torch
from transformers.optimization import Adafactor

SHAPES = {"layers.0.proj.weight": [6, 4], "layers.0.wide.weight": [3, 8], "layers.0.proj.bias": [5], "embed_tokens.weight": [4, 3], "patch.proj.weight": [2, 3, 2, 2]}
STEPS, SEEN = 20, (1, 20)
torch.set_num_threads(1)
torch.manual_seed(20)
START = {name: torch.randn(shape) * 0.5 for name, shape in SHAPES.items()}
GRADIENTS = [{name: torch.randn(shape) * (0.1 + 0.05 * step) for name, shape in SHAPES.items()} for step in range(STEPS)]
RATES = [1e-2 * (1 + step % 3) for step in range(STEPS)]


class Lion(torch.optim.Optimizer):
    """arXiv 2302.06675, algorithm 2; the weight decays first, as in bitsandbytes."""

    def __init__(self, params, betas):
        super().__init__(params, {"lr": 0.0, "betas": betas})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (b1, b2), lr, wd = group["betas"], group["lr"], group["weight_decay"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.mul_(1 - lr * wd)
                p.sub_(lr * torch.sign(b1 * m + (1 - b1) * p.grad))
                m.copy_(b2 * m + (1 - b2) * p.grad)


def groups(weights, decay):
    plain = [name for name in weights if "bias" in name]
    return [{"params": [w for n, w in weights.items() if n not in plain], "weight_decay": decay},
            {"params": [weights[n] for n in plain], "weight_decay": 0.0}]


def muon(weights, decay):
    matrices = [n for n, w in weights.items() if w.ndim == 2 and "embed" not in n]
    return [torch.optim.Muon([weights[n] for n in matrices], lr=1e-3, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW([w for n, w in weights.items() if n not in matrices], lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay)]


CASES = {
    "sgd": ("optim: sgd", lambda w: [torch.optim.SGD(groups(w, 0.0), lr=1e-3)]),
    "sgd_momentum": ("optim: sgd\noptim_args: momentum=0.9\nweight_decay: 0.1", lambda w: [torch.optim.SGD(groups(w, 0.1), lr=1e-3, momentum=0.9)]),
    "sgd_nesterov": ("optim: sgd\noptim_args: momentum=0.9, nesterov=true", lambda w: [torch.optim.SGD(groups(w, 0.0), lr=1e-3, momentum=0.9, nesterov=True)]),
    "sgd_dampening": ("optim: sgd\noptim_args: {momentum: 0.5, dampening: 0.3}",
                      lambda w: [torch.optim.SGD(groups(w, 0.0), lr=1e-3, momentum=0.5, dampening=0.3)]),
    "lion": ("optim: lion_32bit\nadam_beta2: 0.99\nweight_decay: 0.1", lambda w: [Lion(groups(w, 0.1), (0.9, 0.99))]),
    "adafactor": ("optim: adafactor\nweight_decay: 0.1", lambda w: [Adafactor(groups(w, 0.1), lr=1e-3, scale_parameter=False, relative_step=False)]),
    "muon": ("use_muon: true\nweight_decay: 0.1", lambda w: muon(w, 0.1)),
}

made = {"shapes": SHAPES, "rates": RATES, "start": {n: w.flatten().tolist() for n, w in START.items()},
        "gradients": [{n: g.flatten().tolist() for n, g in step.items()} for step in GRADIENTS], "cases": {}}
for name, (keys, make) in CASES.items():
    weights = {n: torch.nn.Parameter(w.clone()) for n, w in START.items()}
    optimizers, seen = make(weights), {}
    for step in range(STEPS):
        for n, w in weights.items():
            w.grad = GRADIENTS[step][n].clone()
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = RATES[step]
            optimizer.step()
        if step + 1 in SEEN:
            seen[step + 1] = {n: w.detach().flatten().tolist() for n, w in weights.items()}
    made["cases"][name] = {"keys": keys, "after": seen}


def rounded(value):
    """Nine digits tell every fp32 number apart."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else [rounded(v) for v in value] if isinstance(value, list) else value


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optimizers.json"), "w") as file:
    json.dump(rounded(made), file, indent=None, separators=(", ", ": "))
    file.write("\n")
