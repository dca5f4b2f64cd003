"""Makes greedy.json beside it: greedy answers of Transformers' MiniCPMV4_6ForConditionalGeneration to the prompts of forward.json and train_encoded.json (up to
the first trained token), fp32, eager attention, CPU, alone and in left-padded batches. smallest_gap is that between the two largest logits of any step.
  greedy.py MODEL_FOLDER     (config.json, model.safetensors and preprocessor_config.json; model.safetensors by generate.py --weights)"""
import json, os, sys
import torch, transformers
from PIL import Image
from transformers import AutoImageProcessor, MiniCPMV4_6ForConditionalGeneration

HERE, TOKENS = os.path.dirname(os.path.abspath(__file__)), 24
torch.set_num_threads(1)
torch.set_grad_enabled(False)
folder = sys.argv[1]
model = MiniCPMV4_6ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
processor = AutoImageProcessor.from_pretrained(folder, backend="torchvision")


def load(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return json.load(f)


def prompt(sample, images):
    labels = sample["labels"]
    return dict(ids=sample["input_ids"][:next(i for i, label in enumerate(labels) if label != -100)], images=images)


forward, rows, train, encoded = load("forward.json")["samples"], load("data/forward_rows.json"), load("data/train.json"), load("train_encoded.json")
prompts = [prompt(forward[name], rows[name].get("images", [])) for name in ("one", "two", "resized", "text", "turns", "long")]
prompts += [prompt(encoded[i], train[i].get("images", [])) for i in (1, 3, 5, 8, 13, 21)]


def ask(batch):
    longest = max(len(p["ids"]) for p in batch)
    ids = torch.tensor([[1978] * (longest - len(p["ids"])) + p["ids"] for p in batch])
    mask = torch.tensor([[0] * (longest - len(p["ids"])) + [1] * len(p["ids"]) for p in batch])
    pictures = [Image.open(os.path.join(HERE, "data", path)).convert("RGB") for p in batch for path in p["images"]]
    media = dict(processor(images=pictures, return_tensors="pt")) if pictures else {}
    media = {name: media[name] for name in ("pixel_values", "target_sizes") if name in media}
    out = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=TOKENS, do_sample=False, eos_token_id=None, pad_token_id=1978, output_logits=True,
        return_dict_in_generate=True, **media)
    tops = torch.stack(out.logits).topk(2, dim=-1).values
    return [(out.sequences[i, longest:].tolist(), (tops[:, i, 0] - tops[:, i, 1]).min().item()) for i in range(len(batch))]


result = dict(transformers=transformers.__version__, torch=torch.__version__, alone=[], batches=[])
for p in prompts:
    [(answer, gap)] = ask([p])
    result["alone"].append(dict(prompt_ids=p["ids"], images=p["images"], output_ids=answer, smallest_gap=gap))
for batch in ([0, 1, 3, 5], [2, 4, 6, 7, 8], [9, 10, 11]):
    answers = ask([prompts[i] for i in batch])
    result["batches"].append(dict(rows=batch, output_ids=[answer for answer, _ in answers]))
    for i, (answer, _) in zip(batch, answers):
        print(i, result["alone"][i]["smallest_gap"], answer == result["alone"][i]["output_ids"])
with open(os.path.join(HERE, "greedy.json"), "w", encoding="utf-8") as f:
    f.write(json.dumps(result).replace('}, {"', '},\n{"') + "\n")
