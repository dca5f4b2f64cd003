"""The mid job in PyTorch and Transformers, LoRA written out as PEFT computes it, so that nothing beyond Debian's packages is needed.

  mid.py train [--dtype bf16] [--attention eager] [--recompute] [--steps 5]     one JSON line
  mid.py train --serve          a JSON line when ready, then one step for each line "step", and a summary for "end";
                                "cached" is a step that takes the image features of an earlier one
  mid.py decode [--batch 1,16]  greedy decode of 64 tokens after 512-token prompts with an image each; --serve: a round for each line "round BATCH"

bf16 means bf16 weights, fp32 adapters and torch.autocast(bf16): what Trainer's `bf16: true` does with a model loaded in bf16.
"""
import argparse
import os
import sys
import time
import warnings

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("job", choices=["train", "decode"])
arguments.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
arguments.add_argument("--attention", choices=["eager", "sdpa"], default="eager")
arguments.add_argument("--recompute", action="store_true")
arguments.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
arguments.add_argument("--steps", type=int, default=5)
arguments.add_argument("--serve", action="store_true")
arguments.add_argument("--batch", default="1", help="decode: how many prompts at once, several separated by commas")
options = arguments.parse_args()
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import torch
import transformers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from common import Adapted, Memory, say

torch.set_num_threads(options.threads)
DTYPE = torch.bfloat16 if options.dtype == "bf16" else torch.float32
SAMPLES, TOKENS, TRAINED, PREFIX, IMAGE_TOKENS = 4, 512, 256, 24, 144
PAD, END, VISION_START, VISION_END, IMAGE, VIDEO = 31900, 31902, 31909, 31910, 31912, 31913


def build():
    text = dict(
        vocab_size=32000, hidden_size=1024, intermediate_size=2816, num_hidden_layers=12, num_attention_heads=16, num_key_value_heads=2,
        hidden_act="silu", max_position_embeddings=4096, rms_norm_eps=1e-6, use_sliding_window=False, max_window_layers=12,
        rope_parameters=dict(rope_type="default", rope_theta=1e6, mrope_section=[8, 12, 12]),
        bos_token_id=PAD, eos_token_id=END, pad_token_id=PAD)
    vision = dict(
        depth=8, hidden_size=512, hidden_act="silu", intermediate_size=1376, num_heads=8, in_channels=3, patch_size=14, spatial_merge_size=2,
        temporal_patch_size=2, tokens_per_second=2, window_size=112, out_hidden_size=1024, fullatt_block_indexes=[3, 7])
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=IMAGE, video_token_id=VIDEO, vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END, bos_token_id=PAD, eos_token_id=END, pad_token_id=PAD)
    config._attn_implementation = options.attention
    torch.manual_seed(11)
    torch.set_default_dtype(DTYPE)
    model = Qwen2_5_VLForConditionalGeneration(config)
    torch.set_default_dtype(torch.float32)
    return model.to(DTYPE)


def batch(samples):
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, 31000, (samples, TOKENS), generator=generator)
    ids[:, PREFIX] = VISION_START
    ids[:, PREFIX + 1:PREFIX + 1 + IMAGE_TOKENS] = IMAGE
    ids[:, PREFIX + 1 + IMAGE_TOKENS] = VISION_END
    return dict(
        input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == IMAGE).int(),
        pixel_values=torch.randn(samples * 576, 1176, generator=generator).to(DTYPE), image_grid_thw=torch.tensor([[1, 24, 24]] * samples))


def adapt(model):
    model.requires_grad_(False)
    for layer in model.model.language_model.layers:
        for owner, names in ((layer.self_attn, ("q_proj", "k_proj", "v_proj", "o_proj")), (layer.mlp, ("gate_proj", "up_proj", "down_proj"))):
            for name in names:
                setattr(owner, name, Adapted(getattr(owner, name)))
    return [p for p in model.parameters() if p.requires_grad]


def trainer(model):
    trained, inputs = adapt(model), batch(SAMPLES)
    inputs["labels"] = inputs["input_ids"].clone()
    inputs["labels"][:, :TOKENS - TRAINED] = -100
    if options.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    features, kept = model.model.get_image_features, {}

    def remembered(*args, **kwargs):
        if "features" not in kept:
            kept["features"] = features(*args, **kwargs)
        return kept["features"]

    def step(cached=False):
        model.model.get_image_features = remembered if cached else features
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=DTYPE == torch.bfloat16):
            loss = model(**inputs, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return dict(loss=loss.item())

    return step


def decoder(model):
    sizes = [int(size) for size in options.batch.split(",")]
    inputs = {size: batch(size) for size in sizes}
    model.eval()

    def generate(size, tokens):
        started = time.perf_counter()
        with torch.no_grad():
            model.generate(**inputs[size], max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
        return time.perf_counter() - started

    def round_trip(size=sizes[0]):
        first = generate(size, 1)
        return dict(batch=size, prefill_seconds=first, decode_seconds=generate(size, 64) - first)

    return round_trip


def measured(work, **arguments):
    cpu, started = time.process_time(), time.perf_counter()
    result = work(**arguments)
    return dict(seconds=time.perf_counter() - started, cpu_seconds=time.process_time() - cpu, **result)


memory = Memory()
model = build()
parameters = sum(p.numel() for p in model.parameters())
work = (trainer if options.job == "train" else decoder)(model)
for _ in range(2 if options.job == "train" else 1):
    work()
facts = dict(
    torch=torch.__version__, transformers=transformers.__version__, dtype=options.dtype, attention=options.attention, recompute=options.recompute,
    threads=torch.get_num_threads(), parameters=parameters)
if options.serve:
    say(facts)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        word, _, size = line.strip().partition(" ")
        say(measured(work, **(dict(cached=True) if word == "cached" else dict(size=int(size)) if size else {})))
    say(memory.peaks())
else:
    rounds = [measured(work) for _ in range(options.steps)]
    seconds = sorted(r["seconds"] for r in rounds)
    say({**facts, **memory.peaks(), "best_seconds": seconds[0], "median_seconds": seconds[len(seconds) // 2], "rounds": rounds})
