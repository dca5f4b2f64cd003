"""Gated DeltaNet of Transformers' Qwen3.5 in its PyTorch form: one mixer forward and backward, and the delta rule in it alone."""
import argparse
import sys
import time

import torch
import transformers
from transformers.models.qwen3_5 import modeling_qwen3_5 as qwen
from transformers.models.qwen3_5.configuration_qwen3_5 import Qwen3_5TextConfig

from common import Memory, say

parser = argparse.ArgumentParser()
parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
parser.add_argument("--threads", type=int)
parser.add_argument("--tokens", type=int, default=2048)
parser.add_argument("--width", type=int, default=1024)
parser.add_argument("--heads", type=int, default=16)
parser.add_argument("--size", type=int, default=128)
options = parser.parse_args()
if options.threads:
    torch.set_num_threads(options.threads)
dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
torch.manual_seed(1)
memory = Memory()
config = Qwen3_5TextConfig(
    hidden_size=options.width, linear_num_key_heads=options.heads, linear_num_value_heads=options.heads, linear_key_head_dim=options.size,
    linear_value_head_dim=options.size, num_hidden_layers=1, vocab_size=64, intermediate_size=64, layer_types=["linear_attention"])
mixer = qwen.Qwen3_5GatedDeltaNet(config, 0).to(dtype)
hidden = torch.randn(1, options.tokens, options.width, dtype=dtype, requires_grad=True)
gradient = torch.randn(1, options.tokens, options.width, dtype=dtype)
heads = [torch.randn(1, options.tokens, options.heads, options.size, dtype=dtype, requires_grad=True) for _ in range(3)]
decay = (-torch.rand(1, options.tokens, options.heads)).requires_grad_()
beta = torch.rand(1, options.tokens, options.heads).requires_grad_()
of_heads = torch.randn(1, options.tokens, options.heads, options.size, dtype=dtype)


def whole():
    mixer.zero_grad()
    hidden.grad = None
    mixer(hidden).backward(gradient)


def rule():
    out, _ = qwen.torch_chunk_gated_delta_rule(*heads, g=decay, beta=beta, use_qk_l2norm_in_kernel=True)
    torch.autograd.grad(out, [*heads, decay, beta], of_heads.to(out.dtype))


work = dict(mixer=whole, rule=rule)
for each in work.values():
    each()
say(dict(torch=torch.__version__, transformers=transformers.__version__, threads=torch.get_num_threads()))
for line in sys.stdin:
    if line.strip() == "end":
        break
    started = time.perf_counter()
    work[line.strip()]()
    say(dict(seconds=time.perf_counter() - started))
say(memory.peaks())
