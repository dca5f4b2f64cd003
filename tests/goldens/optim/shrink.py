"""Takes what tests read out of a folder of runs with PEFT 0.20, Transformers 5.12 and ms-swift @3602360 on the tiny Qwen2.5-VL: of neftune/ the first sample,
of part_lr/ the log and the adapters' A (B begins at 0). Needs safetensors.
  shrink.py FOLDER"""
import json, os, sys
from safetensors.numpy import load_file, save_file

folder, here = sys.argv[1], os.path.dirname(os.path.abspath(__file__))
noise = load_file(f"{folder}/neftune/neftune.safetensors")
save_file({name: values for name, values in noise.items() if name.startswith("s0.")}, f"{here}/neftune.safetensors")
cases = json.load(open(f"{folder}/neftune/neftune.json"))["cases"]
json.dump([case for case in cases if case["sample"] == 0], open(f"{here}/neftune.json", "w"), indent=1)

run, start = json.load(open(f"{folder}/part_lr/train.json")), load_file(f"{folder}/part_lr/adapter_init/adapter_model.safetensors")
assert all(not values.any() for name, values in start.items() if "lora_B" in name)
save_file({name: values for name, values in start.items() if "lora_A" in name}, f"{here}/part_lr.safetensors")
json.dump({"lrs": run["lrs"], "log": run["log"], "shapes": {name: shape for name, (_, shape) in run["adapter_final_keys"].items()},
           "config": {key: value for key, value in json.load(open(f"{folder}/part_lr/adapter_init/adapter_config.json")).items()
                      if key in ("peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "target_modules", "bias")}},
          open(f"{here}/part_lr.json", "w"), indent=1)
