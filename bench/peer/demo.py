"""A fine-tune in PyTorch and Transformers, as Transformers' Trainer under LLaMA-Factory does it; what it trains on is in the plan that Fovea wrote.

  demo.py PLAN [--threads N] [--attention sdpa] [--recompute]      one JSON line with the figures of the run

Batches of per_device_train_batch_size are padded to their longest sample, images are decoded, resized and cut into patches by Pillow and Transformers'
own processor in the data loader, gradients are accumulated, clipped, and given to AdamW. LoRA is written out as PEFT computes it.
"""
import argparse
import json
import math
import os
import time
import warnings

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("plan")
arguments.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
arguments.add_argument("--attention", choices=["eager", "sdpa"], default="sdpa")
arguments.add_argument("--recompute", action="store_true")
options = arguments.parse_args()
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, Qwen2_5_VLForConditionalGeneration

from common import Adapted, Memory, say

memory = Memory()
torch.set_num_threads(options.threads)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
with open(options.plan) as file:
    plan = json.load(file)


def since_start():
    """Seconds that this process has lived."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        ticks = int(stat.read().rsplit(")", 1)[1].split()[19])
        return float(uptime.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


class Images:
    """LLaMA-Factory's resize, then the model's own processor."""

    def __init__(self):
        self.processor = AutoImageProcessor.from_pretrained(plan["model"])
        self.most, self.least = plan["image_max_pixels"], plan["image_min_pixels"]

    def read(self, path):
        with Image.open(path) as image:
            image.load()
        if image.width * image.height > self.most:
            image = self.scaled(image, self.most)
        if image.width * image.height < self.least:
            image = self.scaled(image, self.least)
        image = image.convert("RGB")
        if min(image.size) < 28:
            image = image.resize((max(image.width, 28), max(image.height, 28)))
        if image.width / image.height > 200:
            image = image.resize((image.height * 180, image.height))
        if image.height / image.width > 200:
            image = image.resize((image.width, image.width * 180))
        return image

    @staticmethod
    def scaled(image, area):
        factor = math.sqrt(area / (image.width * image.height))
        return image.resize((int(image.width * factor), int(image.height * factor)))

    def __call__(self, images):
        made = self.processor(images=[self.read(image["path"]) for image in images], return_tensors="pt")
        if made["image_grid_thw"].tolist() != [image["grid"] for image in images]:
            raise SystemExit(f"the grids differ: {made['image_grid_thw'].tolist()} here, {images} in the plan")
        return dict(pixel_values=made["pixel_values"], image_grid_thw=made["image_grid_thw"])


class Batches(torch.utils.data.Dataset):
    """One item a micro-batch."""

    def __init__(self):
        self.groups = [group for step in plan["steps"] for group in step]
        self.images = Images()

    def __len__(self):
        return len(self.groups)

    def __getitem__(self, index):
        samples = [plan["samples"][str(sample)] for sample in self.groups[index]]
        longest = max(len(sample["ids"]) for sample in samples)

        def padded(rows, fill):
            return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])

        ids = padded([sample["ids"] for sample in samples], plan["pad"])
        batch = dict(
            input_ids=ids, labels=padded([sample["labels"] for sample in samples], -100),
            attention_mask=padded([[1] * len(sample["ids"]) for sample in samples], 0), mm_token_type_ids=(ids == plan["image_token"]).int())
        images = [image for sample in samples for image in sample["images"]]
        return {**batch, **(self.images(images) if images else {})}


def adapt(model):
    """Puts the adapter that Fovea starts from on the linears it names."""
    with open(os.path.join(plan["adapter"], "adapter_config.json")) as file:
        config = json.load(file)
    model.requires_grad_(False)
    placed = {}
    for key, value in load_file(os.path.join(plan["adapter"], "adapter_model.safetensors")).items():
        path, part = key.removeprefix("base_model.model.").removesuffix(".weight").rsplit(".", 1)
        if path.startswith("visual."):
            path = "model." + path
        elif not path.startswith(("model.visual.", "model.language_model.")):
            path = path.replace("model.", "model.language_model.", 1)
        if path not in placed:
            owner, name = path.rsplit(".", 1)
            owner = model.get_submodule(owner)
            placed[path] = Adapted(getattr(owner, name), config["r"], config["lora_alpha"])
            setattr(owner, name, placed[path])
        getattr(placed[path], part).weight.data.copy_(value)
    return [p for p in model.parameters() if p.requires_grad]


def build():
    dtype = torch.bfloat16 if plan["bf16"] else torch.float32
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(plan["model"], dtype=dtype, attn_implementation=options.attention)
    trained = adapt(model)
    if options.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    return model, trained


def trained_tokens(labels):
    return int((labels[:, 1:] != -100).sum())


def train(model, trained):
    optimizer = torch.optim.AdamW(
        trained, lr=0.0, betas=(plan["adam_beta1"], plan["adam_beta2"]), eps=plan["adam_epsilon"], weight_decay=plan["weight_decay"], fused=True)
    loader = iter(torch.utils.data.DataLoader(Batches(), batch_size=None, num_workers=plan["workers"]))
    losses = []
    startup, cpu, started = since_start(), time.process_time(), time.perf_counter()
    for step, rate in zip(plan["steps"], plan["rates"]):
        batches = [next(loader) for _ in step]
        total = sum(trained_tokens(batch["labels"]) for batch in batches)
        summed = 0.0
        for batch in batches:
            count = trained_tokens(batch["labels"])
            if count == 0:
                continue
            share = count / total if plan["reduction"] == "token" else 1 / len(batches)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=plan["bf16"]):
                loss = model(**batch, use_cache=False).loss * share
            loss.backward()
            summed += loss.item()
        if plan["max_grad_norm"] > 0:
            torch.nn.utils.clip_grad_norm_(trained, plan["max_grad_norm"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
        losses.append(summed)
    return dict(
        startup_seconds=startup, train_seconds=time.perf_counter() - started, train_cpu_seconds=time.process_time() - cpu, losses=losses)


figures = train(*build())
indices = [sample for step in plan["steps"] for group in step for sample in group]
say({
    "software": f"PyTorch {torch.__version__}, Transformers {transformers.__version__}, {options.attention} attention"
    + (", recompute" if options.recompute else ""),
    "samples": len(indices), "tokens": sum(len(plan["samples"][str(i)]["ids"]) for i in indices), "steps": len(plan["steps"]), **figures, **memory.peaks()})
