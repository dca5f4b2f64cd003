"""Lays the small model (its weights are drawn), 16 samples and the run's file into WORK.   prepare.py WORK"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import save_file

work = sys.argv[1]
source = os.path.join(os.path.dirname(__file__), "../../../tests/goldens/qwen2_5_vl_tiny")
golden = os.path.join(work, "golden")
if not os.path.exists(golden):
    for part in ("model", "data"): shutil.copytree(os.path.join(source, part), os.path.join(golden, part))
    recipe = json.load(open(golden + "/model/weights.json"))
    os.remove(golden + "/model/weights.json")
    generator, tensors = torch.Generator().manual_seed(recipe["seed"]), {}
    for draw in recipe["draws"]:
        t = torch.randn(draw["shape"], generator=generator) * draw["deviation"] + draw["mean"]
        assert (t.flatten()[0].item(), t.flatten()[-1].item()) == (draw["first"], draw["last"]), draw["name"]
        tensors[draw["name"]] = t
    save_file(tensors, golden + "/model/model.safetensors", {"format": "pt"})

    # Samples with no, one and two images; the new tokens' words in half of them.
    rows = json.load(open(golden + "/data/tiny_shapes.json"))
    chosen = [r for n in (0, 1, 2) for r in [r for r in rows if len(r["images"]) == n][:5]]
    for i, row in enumerate(chosen):
        for message in row["messages"]:
            if i % 2: message["content"] = message["content"].replace("circle", "kreis").replace("square", "viereck").replace("shape", "kreis")
    json.dump(chosen, open(golden + "/data/tiny_shapes.json", "w"), ensure_ascii=False)

with open(work + "/run.yaml", "w") as f:
    f.write(f"""model_name_or_path: {golden}/model
dataset_dir: {golden}/data
dataset: tiny_shapes
template: qwen2_vl
finetuning_type: lora
lora_rank: 8
bf16: false
learning_rate: 0.003
max_steps: 4
per_device_train_batch_size: 4
per_device_eval_batch_size: 1
overwrite_output_dir: true
save_strategy: "no"
""")
with open(work + "/export.yaml", "w") as f:
    f.write(f"model_name_or_path: {golden}/model\ntemplate: qwen2_vl\n")
