"""The 7b benchmark's job in PyTorch, Transformers and PEFT on one CUDA card: the same dimensions, batch, adapters and optimizer as `fovea bench 7b`.

    python3 bench/peer/7b.py --tokens 2048 --steps 10 [--checkpointing] [--attention flash_attention_2|sdpa] [--json FILE]

Random weights. Without PEFT the adapters are written out in plain PyTorch. Samples are a padded batch here (they all have one length, so nothing is padded).
"""
import argparse
import json
import statistics
import sys
import time

import torch

SAMPLE, TRAINED, IMAGE_TOKENS, PREFIX, GRID = 1024, 512, 256, 24, (1, 32, 32)


def config():
    from transformers import Qwen2_5_VLConfig

    text = dict(
        hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4, vocab_size=152064,
        max_position_embeddings=128000, rms_norm_eps=1e-6, rope_theta=1e6, hidden_act="silu", tie_word_embeddings=False,
        rope_scaling={"type": "mrope", "rope_type": "default", "mrope_section": [16, 24, 24]},
    )
    vision = dict(
        depth=32, hidden_size=1280, intermediate_size=3420, num_heads=16, patch_size=14, spatial_merge_size=2, temporal_patch_size=2, window_size=112,
        out_hidden_size=3584, fullatt_block_indexes=[7, 15, 23, 31], hidden_act="silu", in_channels=3,
    )
    return Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=151655, video_token_id=151656, vision_start_token_id=151652, vision_end_token_id=151653,
        tie_word_embeddings=False,
    )


class Lora(torch.nn.Module):
    """What PEFT does: fp32 A and B beside a frozen linear."""

    def __init__(self, base, rank=8, alpha=16):
        super().__init__()
        self.base, self.scale = base, alpha / rank
        device = base.weight.device
        self.a = torch.nn.Parameter(torch.empty(rank, base.in_features, device=device).uniform_(-(base.in_features**-0.5), base.in_features**-0.5))
        self.b = torch.nn.Parameter(torch.zeros(base.out_features, rank, device=device))

    def forward(self, x):
        low = torch.nn.functional.linear(x.to(self.a.dtype), self.a)
        return self.base(x) + (torch.nn.functional.linear(low, self.b) * self.scale).to(x.dtype)


def adapt(model):
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    try:
        from peft import LoraConfig, get_peft_model

        pattern = r".*language_model.*\.(" + "|".join(names) + ")"
        return get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=pattern)), "peft"
    except ImportError:
        for path, module in list(model.named_modules()):
            if "visual" not in path:
                for name, child in list(module.named_children()):
                    if name in names and isinstance(child, torch.nn.Linear):
                        setattr(module, name, Lora(child))
        return model, "written out"


def make_batch(tokens, device):
    samples = tokens // SAMPLE
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, 150000, (samples, SAMPLE), generator=generator)
    ids[:, PREFIX] = 151652
    ids[:, PREFIX + 1 : PREFIX + 1 + IMAGE_TOKENS] = 151655
    ids[:, PREFIX + 1 + IMAGE_TOKENS] = 151653
    labels = ids.clone()
    labels[:, : SAMPLE - TRAINED] = -100
    pixels = torch.rand(samples * GRID[1] * GRID[2], 1176, generator=generator) * 2 - 1
    return dict(
        input_ids=ids.to(device), labels=labels.to(device), attention_mask=torch.ones_like(ids).to(device),
        pixel_values=pixels.to(device), image_grid_thw=torch.tensor([GRID] * samples, device=device),
        mm_token_type_ids=(ids == 151655).long().to(device),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("7b.py needs a CUDA card")
    import inspect

    import transformers
    from transformers import Qwen2_5_VLForConditionalGeneration

    device = torch.device("cuda")
    torch.manual_seed(11)
    torch.set_default_dtype(torch.bfloat16)
    with device:
        # Transformers 5 calls it dtype, and 4 knows only the older name.
        dtype = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
        model = Qwen2_5_VLForConditionalGeneration._from_config(config(), attn_implementation=arguments.attention, **{dtype: torch.bfloat16})
    torch.set_default_dtype(torch.float32)
    model = model.to(torch.bfloat16)
    if arguments.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    known = inspect.signature(model.forward).parameters
    model, adapters = adapt(model)
    model.train()
    learned = [p for p in model.parameters() if p.requires_grad]
    for parameter in learned:
        parameter.data = parameter.data.float()
    optimizer = torch.optim.AdamW(learned, lr=1e-4, weight_decay=0.01, fused=True)
    batch = {name: value for name, value in make_batch(arguments.tokens, device).items() if name in known}

    def step():
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    losses = [step() for _ in range(3)]
    torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(arguments.steps):
        torch.cuda.synchronize()
        start = time.perf_counter()
        losses.append(step())
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    result = dict(
        job="7b", torch=torch.__version__, transformers=transformers.__version__, adapters=adapters, attention=arguments.attention,
        checkpointing=arguments.checkpointing, device=torch.cuda.get_device_name(), tokens=arguments.tokens, step_seconds=seconds,
        step_seconds_median=median, tokens_per_second=arguments.tokens / median, peak_memory_gib=torch.cuda.max_memory_allocated() / 2**30,
        parameters=sum(p.numel() for p in model.parameters()), trainable_parameters=sum(p.numel() for p in learned), losses=losses,
    )
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        with open(arguments.json, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
