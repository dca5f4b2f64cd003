"""Writes generated_predictions.jsonl for the first rows of the tiny golden dataset, by Transformers and the rules of LLaMA-Factory.

    bench/peer/python tests/goldens/predictions/make.py MODEL_FOLDER

MODEL_FOLDER is the tiny golden model with its weights (artifacts/goldens/qwen2_5_vl_tiny-*/model after a run of the tests). The rules (train/sft/trainer.py,
data/processor/unsupervised.py, data/template.py): the prompt is everything before the last answer and is decoded with its special tokens, the image pads in
full; the label is the last answer as the template writes it; answer and label are decoded without special tokens; text is not escaped. Greedy, 12 new tokens.
"""
import json
import os
import sys

import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessor

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "qwen2_5_vl_tiny", "data")
ROWS, NEW_TOKENS = 8, 12
model_folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(model_folder)
images = Qwen2VLImageProcessor.from_pretrained(model_folder)
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32).eval()
pad = tokenizer.convert_tokens_to_ids("<|image_pad|>")
stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
lines = []
for row in json.load(open(os.path.join(DATA, "tiny_shapes.json")))[:ROWS]:
    pictures = [Image.open(os.path.join(DATA, path)).convert("RGB") for path in row["images"]]
    seen = images(pictures, return_tensors="pt") if pictures else {}
    counts = [int(grid.prod()) // images.merge_size**2 for grid in seen.get("image_grid_thw", [])]
    ids = tokenizer.encode("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n")
    messages = row["messages"]
    if messages[0]["role"] == "system":
        ids = tokenizer.encode(f"<|im_start|>system\n{messages[0]['content']}<|im_end|>\n")
        messages = messages[1:]
    used = 0
    for message in messages[:-1]:
        text = message["content"]
        while "<image>" in text:
            text = text.replace("<image>", "<|vision_start|>" + "<|image_pad|>" * counts[used] + "<|vision_end|>", 1)
            used += 1
        slot = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n" if message["role"] == "user" else "{}<|im_end|>\n"
        ids += tokenizer.encode(slot.format(text))
    label = tokenizer.encode(messages[-1]["content"] + "<|im_end|>\n")
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long), **seen}
    inputs["mm_token_type_ids"] = (inputs["input_ids"] == pad).int()
    made = model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=[stop, tokenizer.eos_token_id], pad_token_id=0)
    lines.append({
        "prompt": tokenizer.decode(ids, skip_special_tokens=False),
        "predict": tokenizer.decode(made[0, len(ids):], skip_special_tokens=True),
        "label": tokenizer.decode(label, skip_special_tokens=True),
    })
with open(os.path.join(HERE, "expected.jsonl"), "w", encoding="utf-8") as file:
    for line in lines:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
