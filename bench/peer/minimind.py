"""MiniMind-3V (generation C) in plain PyTorch with Transformers' SigLIP, trained as the project's own script trains it: every weight but the encoder's,
logits of every token, AdamW, clipping; bf16 is autocast over fp32 weights.

  minimind.py JOB [--moe] [--dtype bf16] [--pad 768]     a JSON line when ready, then one step for each line "step", and a summary for "end"
JOB is a folder: the model's .pth as Fovea writes it, loaded with strict=True into modules named as the project's, and job.safetensors with the encoder, token
ids, labels and pixels. --pad fills samples up to a length, as the project's data set does; 0 leaves them as long as they are.
"""
import argparse
import glob
import os
import sys
import time
import warnings

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("job")
arguments.add_argument("--moe", action="store_true")
arguments.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
arguments.add_argument("--pad", type=int, default=0)
arguments.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
options = arguments.parse_args()
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import torch
import transformers
from torch import nn
from safetensors.torch import load_file
from torch.nn import functional as F
from transformers import SiglipVisionConfig, SiglipVisionModel

from common import Memory, say

torch.set_num_threads(options.threads)
SAMPLES, TOKENS, PREFIX, IMAGE_TOKENS = 4, 260, 8, 64
HIDDEN, LAYERS, HEADS, KV, HEAD, INNER, VOCABULARY, EXPERTS, COEFFICIENT = 768, 8, 8, 4, 96, 2432, 6400, 4, 5e-4


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        x32 = x.float()
        return (self.weight * (x32 * torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + 1e-6))).type_as(x)


def turn(x, cos, sin):
    left, right = x.chunk(2, -1)
    return (x * cos + torch.cat((-right, left), -1) * sin).to(x.dtype)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(HIDDEN, HEADS * HEAD, bias=False), nn.Linear(HIDDEN, KV * HEAD, bias=False)
        self.v_proj, self.o_proj = nn.Linear(HIDDEN, KV * HEAD, bias=False), nn.Linear(HEADS * HEAD, HIDDEN, bias=False)
        self.q_norm, self.k_norm = Norm(HEAD), Norm(HEAD)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q = turn(self.q_norm(self.q_proj(x).view(b, t, HEADS, HEAD)), cos, sin).transpose(1, 2)
        k = turn(self.k_norm(self.k_proj(x).view(b, t, KV, HEAD)), cos, sin).repeat_interleave(HEADS // KV, 2).transpose(1, 2)
        v = self.v_proj(x).view(b, t, KV, HEAD).repeat_interleave(HEADS // KV, 2).transpose(1, 2)
        return self.o_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, -1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(HIDDEN, INNER, bias=False), nn.Linear(HIDDEN, INNER, bias=False)
        self.down_proj = nn.Linear(INNER, HIDDEN, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Experts(nn.Module):
    """One expert a token; each expert runs over its tokens in turn."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(HIDDEN, EXPERTS, bias=False)
        self.experts = nn.ModuleList(Mlp() for _ in range(EXPERTS))

    def forward(self, x):
        flat = x.view(-1, HIDDEN)
        scores = F.softmax(self.gate(flat), -1)
        weight, index = torch.topk(scores, 1, -1, sorted=False)
        weight = weight / (weight.sum(-1, keepdim=True) + 1e-20)
        y = torch.zeros_like(flat)
        for i, expert in enumerate(self.experts):
            mask = index == i
            if mask.any():
                tokens = mask.any(-1).nonzero().flatten()
                y.index_add_(0, tokens, (expert(flat[tokens]) * weight[mask].view(-1, 1)).to(y.dtype))
        load = F.one_hot(index, EXPERTS).float().mean(0)
        self.loss = (load * scores.mean(0)).sum() * EXPERTS * COEFFICIENT
        return y.view_as(x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.self_attn = Norm(HIDDEN), Attention()
        self.post_attention_layernorm, self.mlp = Norm(HIDDEN), Experts() if options.moe else Mlp()

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Projector(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.LayerNorm(768), nn.Linear(768, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens, self.norm = nn.Embedding(VOCABULARY, HIDDEN), Norm(HIDDEN)
        self.layers = nn.ModuleList(Block() for _ in range(LAYERS))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.model, self.vision_proj, self.lm_head = Decoder(), Projector(), nn.Linear(HIDDEN, VOCABULARY, bias=False)
        self.lm_head.weight = self.model.embed_tokens.weight
        angles = torch.outer(torch.arange(2048).float(), 1e6 ** (-torch.arange(0, HEAD, 2).float() / HEAD))
        self.cos, self.sin = (torch.cat((f(angles), f(angles)), -1)[None, :, None] for f in (torch.cos, torch.sin))

    def forward(self, ids, labels, pixels):
        with torch.no_grad():
            seen = encoder(pixel_values=pixels).last_hidden_state
        x = self.model.embed_tokens(ids)
        x = torch.cat((x[:, :PREFIX], self.vision_proj.mlp(seen).to(x.dtype), x[:, PREFIX + IMAGE_TOKENS:]), 1)
        t = ids.shape[1]
        for layer in self.model.layers:
            x = layer(x, self.cos[:, :t], self.sin[:, :t])
        logits = self.lm_head(self.model.norm(x))
        loss = F.cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY), labels[:, 1:].reshape(-1), ignore_index=-100)
        return loss + sum(layer.mlp.loss for layer in self.model.layers) if options.moe else loss


def load_encoder(tensors):
    config = SiglipVisionConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, image_size=256, patch_size=32)
    made = SiglipVisionModel(config)
    named = {name: tensors.get(f"vision_encoder.vision_model.{name.removeprefix('vision_model.')}") for name in made.state_dict()}
    lost = [name for name, value in named.items() if value is None and ".head." not in f".{name}"]  # the pooling head is not used
    assert not lost, f"job.safetensors lacks {lost}"
    made.load_state_dict({name: value for name, value in named.items() if value is not None}, strict=False)
    return made.requires_grad_(False).eval()


def step():
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16"):
        loss = model(ids, labels, pixels)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return dict(loss=loss.item())


memory = Memory()
tensors = load_file(os.path.join(options.job, "job.safetensors"))
encoder = load_encoder(tensors)
model = Model()
model.load_state_dict(torch.load(glob.glob(os.path.join(options.job, "*.pth"))[0], weights_only=True), strict=True)
trained = list(model.parameters())
optimizer = torch.optim.AdamW(trained, lr=5e-6)
ids, labels = (F.pad(tensors[name].view(SAMPLES, TOKENS), (0, max(0, options.pad - TOKENS)), value=fill) for name, fill in (("ids", 0), ("labels", -100)))
# Patches, row by row, into pictures.
pixels = tensors["pixels"].view(SAMPLES, 8, 8, 3, 32, 32).permute(0, 3, 1, 4, 2, 5).reshape(SAMPLES, 3, 256, 256).contiguous()
losses = [step()["loss"] for _ in range(2)]
say(dict(torch=torch.__version__, transformers=transformers.__version__, dtype=options.dtype, threads=torch.get_num_threads(),
         parameters=sum(p.numel() for p in [*trained, *encoder.parameters()]), losses=losses))
for line in sys.stdin:
    if line.strip() == "end":
        say(memory.peaks())
        break
    cpu, started = time.process_time(), time.perf_counter()
    result = step()
    say(dict(seconds=time.perf_counter() - started, cpu_seconds=time.process_time() - cpu, **result))
