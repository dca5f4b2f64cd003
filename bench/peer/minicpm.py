"""A MiniCPM-V-2.6 in miniature as the hub's modelling code computes it (SigLIP over padded slices with bucketed positions, perceiver resampler,
Transformers' Qwen2), with the loss of OpenBMB's trainer: logits of every token, mean over the labelled ones. AdamW, clipping at 1.

  minicpm.py JOB [--lora] [--frozen-tower] [--dtype bf16] [--attention eager]     a JSON line when ready, then one step a line "step", and a summary for "end"

JOB is a folder with job.safetensors: the weights under the hub's names, token ids, labels and patches, as Fovea writes them.
bf16 is what DeepSpeed's engine makes of it: weights in bf16, and beside those that learn fp32 masters with fp32 gradients and moments. LoRA is PEFT's of rank 64 on
q, k, v and o with fp32 adapters, written out; embeddings, resampler and (unless --frozen-tower) tower learn whole.
"""
import argparse
import os
import re
import sys
import time
import warnings

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("job")
arguments.add_argument("--lora", action="store_true")
arguments.add_argument("--frozen-tower", action="store_true")
arguments.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
arguments.add_argument("--depth", type=int, default=12)
arguments.add_argument("--attention", choices=["eager", "sdpa"], default="eager")
arguments.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
options = arguments.parse_args()
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import torch
import transformers
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from transformers import Qwen2Config, Qwen2ForCausalLM

from common import Adapted, Memory, say

torch.set_num_threads(options.threads)
DTYPE = torch.bfloat16 if options.dtype == "bf16" else torch.float32
SAMPLES, TOKENS, PREFIX, QUERIES, VOCABULARY = 2, 448, 16, 64, 16000
WIDTH, TOWER, TOWER_HEADS, TOWER_INNER, SIDE, PATCH = 896, 576, 8, 2152, 70, 14
GRIDS = [(16, 16), (18, 14), (18, 14), (18, 14), (14, 18), (20, 12), (16, 16), (16, 16)]


def attend(q, k, v, mask):
    if options.attention == "sdpa":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    scores = scores if mask is None else scores + mask
    return F.softmax(scores, -1, dtype=torch.float32).to(q.dtype) @ v


class TowerLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(TOWER, eps=1e-6), nn.LayerNorm(TOWER, eps=1e-6)
        self.q, self.k, self.v, self.out = (nn.Linear(TOWER, TOWER) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(TOWER, TOWER_INNER), nn.Linear(TOWER_INNER, TOWER)

    def forward(self, x, mask):
        n, length, _ = x.shape
        y = self.norm1(x)
        q, k, v = (f(y).view(n, length, TOWER_HEADS, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        x = x + self.out(attend(q, k, v, mask).transpose(1, 2).reshape(n, length, TOWER))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x)), approximate="tanh"))


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.position = nn.Conv2d(3, TOWER, PATCH, PATCH), nn.Embedding(SIDE * SIDE, TOWER)
        self.layers, self.norm = nn.ModuleList(TowerLayer() for _ in range(options.depth)), nn.LayerNorm(TOWER, eps=1e-6)

    def forward(self, pixels, real):
        x = self.patch(pixels).flatten(2).transpose(1, 2)
        boundaries = torch.arange(1 / SIDE, 1.0, 1 / SIDE)
        places = torch.zeros(real.shape, dtype=torch.long)
        for i, (h, w) in enumerate(GRIDS):
            rows, columns = (torch.bucketize(torch.arange(0, 1 - 1e-6, 1 / n), boundaries, right=True) for n in (h, w))
            places[i][real[i]] = (rows[:, None] * SIDE + columns).flatten()
        x = x + self.position(places)
        mask = None if real.all() else torch.zeros(real.shape, dtype=x.dtype).masked_fill(~real, torch.finfo(x.dtype).min)[:, None, None, :].expand(
            -1, 1, real.shape[1], -1)
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class Resampler(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Parameter(torch.randn(QUERIES, WIDTH) * 0.02)
        self.kv_proj, self.attn = nn.Linear(TOWER, WIDTH, bias=False), nn.MultiheadAttention(WIDTH, WIDTH // 128)
        self.ln_q, self.ln_kv, self.ln_post = (nn.LayerNorm(WIDTH, eps=1e-6) for _ in range(3))
        self.proj = nn.Parameter(torch.randn(WIDTH, WIDTH) * WIDTH ** -0.5)
        angles = torch.outer(torch.arange(SIDE).float(), 10000 ** (-torch.arange(WIDTH // 4).float() / (WIDTH // 4)))
        line = torch.cat((angles.sin(), angles.cos()), 1)
        self.places = torch.cat((line[None].expand(SIDE, -1, -1), line[:, None].expand(-1, SIDE, -1)), -1)

    def forward(self, x, real):
        n, length, _ = x.shape
        places = torch.zeros(n, length, WIDTH, dtype=x.dtype)
        for i, (h, w) in enumerate(GRIDS):
            places[i, :h * w] = self.places[:h, :w].reshape(h * w, -1).to(x.dtype)
        x = self.ln_kv(self.kv_proj(x)).transpose(0, 1)
        q = self.ln_q(self.query)[:, None].expand(-1, n, -1)
        y = self.attn(q, x + places.transpose(0, 1), x, key_padding_mask=~real)[0]
        return self.ln_post(y.transpose(0, 1)) @ self.proj


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        config = Qwen2Config(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=3072, num_hidden_layers=options.depth, num_attention_heads=14, num_key_value_heads=2,
            max_position_embeddings=4096, rms_norm_eps=1e-6, tie_word_embeddings=False, use_sliding_window=False,
            rope_parameters=dict(rope_type="default", rope_theta=1e6))
        config._attn_implementation = options.attention
        self.llm, self.vpm, self.resampler = Qwen2ForCausalLM(config), Tower(), Resampler()

    def forward(self, ids, labels, pixels, real, slots):
        seen = self.resampler(self.vpm(pixels, real), real)
        x = self.llm.model.embed_tokens(ids)
        x = x.flatten(0, 1).index_put((slots,), seen.flatten(0, 1).to(x.dtype)).view_as(x)
        logits = self.llm(inputs_embeds=x, use_cache=False).logits
        return F.cross_entropy(logits.view(-1, VOCABULARY), labels.view(-1), ignore_index=-100)


# Names of the hub's tower, and of the one above.
TOWER_NAMES = (("embeddings.patch_embedding", "patch"), ("embeddings.position_embedding", "position"), ("encoder.layers", "layers"), ("self_attn.out_proj", "out"),
               (r"self_attn.([qkv])_proj", r"\1"), ("layer_norm", "norm"), ("mlp.", ""), ("post_layernorm", "norm"))


def weights(tensors):
    for name, value in tensors.items():
        if name.startswith("vpm."):
            for hub, here in TOWER_NAMES:
                name = re.sub(hub, here, name)
        if name.split(".")[0] in ("vpm", "resampler", "llm"):
            yield name, value


def batch(tensors):
    ids, labels = tensors["ids"].view(SAMPLES, TOKENS), tensors["labels"].view(SAMPLES, TOKENS)
    labels = F.pad(labels[:, 1:], (0, 1), value=-100)  # shifted, as the data set gives them
    longest, per = max(h * w for h, w in GRIDS), len(GRIDS) // SAMPLES
    pixels, real = torch.zeros(len(GRIDS), 3, PATCH, PATCH * longest, dtype=DTYPE), torch.zeros(len(GRIDS), longest, dtype=torch.bool)
    for i, patches in enumerate(tensors["pixels"].split([h * w for h, w in GRIDS])):
        pixels[i, :, :, :PATCH * len(patches)] = patches.view(-1, 3, PATCH, PATCH).permute(1, 2, 0, 3).flatten(2)
        real[i, :len(patches)] = True
    starts = [i // per * TOKENS + PREFIX + i % per * (QUERIES + 2) + 1 for i in range(len(GRIDS))]
    return ids, labels, pixels, real, torch.cat([torch.arange(s, s + QUERIES) for s in starts])


def step():
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=DTYPE == torch.bfloat16):
        loss = model(*inputs)
    loss.backward()
    for weight, master in zip(trained, masters):
        if master is not weight:
            master.grad, weight.grad = weight.grad.float(), None
    torch.nn.utils.clip_grad_norm_(masters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        for weight, master in zip(trained, masters):
            if master is not weight:
                weight.copy_(master)
    return dict(loss=loss.item())


memory = Memory()
torch.manual_seed(11)
tensors = load_file(os.path.join(options.job, "job.safetensors"))
model = Model()
model.load_state_dict(dict(weights(tensors)), strict=True)
model = model.to(DTYPE).train()
if options.lora:
    model.llm.requires_grad_(False)
    model.llm.model.embed_tokens.requires_grad_(True)
    for layer in model.llm.model.layers:
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(layer.self_attn, name, Adapted(getattr(layer.self_attn, name), rank=64, alpha=64))
if options.frozen_tower:
    model.vpm.requires_grad_(False)
trained = [p for p in model.parameters() if p.requires_grad]
masters = [p if p.dtype == torch.float32 else p.detach().float() for p in trained]
optimizer = torch.optim.AdamW(masters, lr=1e-6, betas=(0.9, 0.95), weight_decay=0.1)
inputs = batch(tensors)
losses = [step()["loss"]]
say(dict(torch=torch.__version__, transformers=transformers.__version__, dtype=options.dtype, attention=options.attention, threads=torch.get_num_threads(),
         parameters=sum(p.numel() for p in model.parameters()), trained=sum(p.numel() for p in trained), losses=losses))
for line in sys.stdin:
    if line.strip() == "end":
        say(memory.peaks())
        break
    cpu, started = time.process_time(), time.perf_counter()
    result = step()
    say(dict(seconds=time.perf_counter() - started, cpu_seconds=time.process_time() - cpu, **result))
