"""Greedy answers of Transformers to the samples of forward.json without videos. Needs torch and Transformers 5.12.
  greedy.py FOLDER WEIGHTS OUT   FOLDER is what generate.py made, with whole pixels; WEIGHTS is the file that generate.py --weights drew"""
import json, os, sys, tempfile
import torch
import transformers
from transformers import AutoConfig, AutoModelForImageTextToText
from safetensors.torch import load_file

FOLDER, WEIGHTS, OUT = sys.argv[1:]
TOKENS = 24
torch.set_num_threads(1)
with tempfile.TemporaryDirectory() as model_dir:
    os.symlink(os.path.abspath(f"{FOLDER}/model/config.json"), f"{model_dir}/config.json")
    os.symlink(os.path.abspath(WEIGHTS), f"{model_dir}/model.safetensors")
    model = AutoModelForImageTextToText.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="sdpa").eval()
pixels = load_file(f"{FOLDER}/forward.safetensors")
rows = []
for name, sample in json.load(open(f"{FOLDER}/forward.json"))["samples"].items():
    if "video_grid_thw" in sample or name in ("video", "mixed"):
        continue
    # The prompt ends where the first labelled token begins.
    prompt = sample["input_ids"][:next(i for i, label in enumerate(sample["labels"]) if label != -100)]
    kinds = sample.get("mm_token_type_ids", [0] * len(prompt))[:len(prompt)]
    given = {}
    if sample.get("image_grid_thw"):
        given = dict(pixel_values=pixels[f"{name}.pixel_values"], image_grid_thw=torch.tensor(sample["image_grid_thw"]))
        given["mm_token_type_ids"] = torch.tensor([kinds])
    with torch.no_grad():
        out = model.generate(input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=False,
                             max_new_tokens=TOKENS, eos_token_id=-1, pad_token_id=0, output_scores=True, return_dict_in_generate=True, **given)
    top = [s[0].topk(2).values for s in out.scores]
    rows.append(dict(sample=name, prompt_tokens=len(prompt), output_ids=out.sequences[0, len(prompt):].tolist(),
                     smallest_gap=min((t[0] - t[1]).item() for t in top)))
    print(name, rows[-1]["output_ids"][:8], rows[-1]["smallest_gap"])
with open(OUT, "w") as f:
    json.dump(dict(transformers=transformers.__version__, torch=torch.__version__, answers=rows), f)
    f.write("\n")
