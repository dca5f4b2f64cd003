"""Makes greedy.json, experts.* and balance.* beside it, with Transformers 5.12 and PEFT main (5d602fd): what generate.py does not make.
  more.py MODEL_FOLDER GENERATED [greedy] [experts] [balance]
MODEL_FOLDER is a copy of model/ with the model.safetensors of `generate.py --weights`; GENERATED is what generate.py made, before trim.py. PEFT and accelerate may lie in
a folder of PYTHONPATH.
greedy   greedy answers to the samples of forward.json
experts  LoRA on attention and, by target_parameters, on experts: 6 steps of 4 rows; both adapters as PEFT saved them, the merged model's logits
balance  load_balancing_loss_func: its value for samples alone and padded together; 4 steps of LoRA and of every weight with the loss of each batch of 2 rows
         added in full (as Transformers adds it where num_items_in_batch divides the rest), 2 batches a step"""
import json, math, os, sys
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, get_cosine_schedule_with_warmup

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER, GENERATED, WHAT = sys.argv[1], sys.argv[2], sys.argv[3:] or ["greedy", "experts", "balance"]
torch.set_num_threads(1)
processor = AutoImageProcessor.from_pretrained(FOLDER, backend="torchvision")
COEFFICIENT = 0.05


def load(name):
    with open(os.path.join(GENERATED if name in ("train_encoded.json", "forward.json") else HERE, name), encoding="utf-8") as f:
        return json.load(f)


def short(what):
    """Numbers with nine digits, more than fp32 has."""
    if isinstance(what, float): return float(f"{what:.9g}")
    if isinstance(what, list): return [short(value) for value in what]
    return {k: short(v) for k, v in what.items()} if isinstance(what, dict) else what


def dump(name, what):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as f:
        f.write(json.dumps(short(what)).replace('}, {"', '},\n{"') + "\n")


def model_of():
    model = AutoModelForImageTextToText.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="sdpa")
    model.set_experts_implementation("eager")
    return model


forward, named = load("forward.json")["samples"], load("data/forward_rows.json")
encoded, rows = load("train_encoded.json"), load("data/train.json")
SAMPLES = {name: (sample, named[name].get("images", [])) for name, sample in forward.items() if "videos" not in named[name]}
ROWS = [(sample, row.get("images", [])) for sample, row in zip(encoded, rows)]


def batch(samples, length=None):
    """Padded on the right; ids, mask, labels, media."""
    longest = max(len((s["input_ids"])[:length]) for s, _ in samples)
    fill = lambda values, with_: values[:length] + [with_] * (longest - len(values[:length]))
    ids = torch.tensor([fill(s["input_ids"], 1978) for s, _ in samples])
    mask = torch.tensor([fill([1] * len(s["input_ids"]), 0) for s, _ in samples])
    labels = torch.tensor([fill(s["labels"], -100) for s, _ in samples])
    pictures = [Image.open(os.path.join(HERE, "data", path)).convert("RGB") for _, images in samples for path in images]
    media = dict(processor(images=pictures, return_tensors="pt")) if pictures else {}
    return dict(input_ids=ids, attention_mask=mask, mm_token_type_ids=(ids == 1990).int(), **media), labels


def token_sum(logits, labels):
    return F.cross_entropy(logits[:, :-1].float().reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=-100, reduction="sum")


def greedy():
    model, answers = model_of().eval(), []
    for name, sample in SAMPLES.items():
        length = next(i for i, label in enumerate(sample[0]["labels"]) if label != -100)
        given, _ = batch([sample], length)
        with torch.no_grad():
            out = model.generate(**given, do_sample=False, max_new_tokens=24, eos_token_id=-1, pad_token_id=0, output_scores=True, return_dict_in_generate=True)
        tops = [s[0].topk(2).values for s in out.scores]
        answers.append(dict(sample=name, prompt_tokens=length, output_ids=out.sequences[0, length:].tolist(), smallest_gap=min((t[0] - t[1]).item() for t in tops)))
        print(name, answers[-1]["smallest_gap"])
    dump("greedy.json", dict(transformers=transformers.__version__, torch=torch.__version__, answers=answers))


def train(model, steps, groups, rate, coefficient=0.0):
    """groups: batches of a step, each a number of rows. Token losses are divided by the label tokens of the step; router losses of the batches are added."""
    params = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([p for _, p in params], lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    schedule = get_cosine_schedule_with_warmup(optimizer, math.ceil(0.1 * steps), steps)
    log, grads, norms, at = [], {}, {}, 0
    for step in range(steps):
        numbers = [[(at + sum(groups[:g]) + i) % len(ROWS) for i in range(size)] for g, size in enumerate(groups)]
        at += sum(groups)
        batches = [batch([ROWS[i] for i in of]) for of in numbers]
        tokens = sum(int((labels[:, 1:] != -100).sum()) for _, labels in batches)
        total, aux = 0.0, []
        for given, labels in batches:
            out = model(**given, output_router_logits=True) if coefficient else model(**given)
            loss = token_sum(out.logits, labels) / tokens
            if coefficient:
                aux.append(out.aux_loss.item())
                loss = loss + coefficient * out.aux_loss
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in params], 1.0).item()
        if step == 0:
            grads = {n: p.grad.clone() for n, p in params if p.grad is not None}
            norms = {n: g.norm().item() for n, g in grads.items()}
        log.append(dict(step=step, samples=sum(numbers, []), loss=total, aux=aux, grad_norm=norm, lr=schedule.get_last_lr()[0]))
        print(log[-1], flush=True)
        optimizer.step(), schedule.step(), optimizer.zero_grad()
    return dict(settings=dict(lr=rate, groups=groups, coefficient=coefficient), first_step_clipped_grad_norms=norms, log=log), grads


def thin(tensors, most=2048, every=7):
    kept = {}
    for name, value in tensors.items():
        if value.numel() * 4 > most:
            kept[f"{name}@{every}"] = value.flatten()[::every].contiguous()
            kept[f"{name}@shape"] = torch.tensor(value.shape)
        else:
            kept[name] = value.contiguous()
    return kept


def logits_of(model, name="text"):
    given, labels = batch([SAMPLES[name]])
    with torch.no_grad():
        lab = labels[0].tolist()
        return model(**given).logits[0][[i for i in range(len(lab) - 1) if lab[i + 1] != -100][:4]].clone()


def save_adapter(model, folder):
    model.peft_config["default"].base_model_name_or_path = "model"
    model.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    with open(f"{folder}/adapter_config.json") as f:
        config = json.load(f)
    config.update(target_modules=sorted(config["target_modules"]), base_model_name_or_path="model")
    with open(f"{folder}/adapter_config.json", "w") as f:
        f.write(json.dumps(config, indent=2) + "\n")
    os.chmod(f"{folder}/adapter_model.safetensors", 0o644)


def experts():
    from peft import LoraConfig, PeftModel, get_peft_model
    torch.manual_seed(36002)
    config = LoraConfig(
        r=1, lora_alpha=2, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM", target_modules=["v_proj", "shared_expert_gate"],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"])
    model = get_peft_model(model_of(), config)
    with torch.no_grad():
        for n, p in sorted(model.named_parameters()):
            if "lora_B" in n: p.copy_(torch.randn(p.shape) * 0.05)
    save_adapter(model, f"{HERE}/experts_init")
    tensors = {"initial_logits": logits_of(model.eval())}
    result, grads = train(model.train(), 6, [1, 1, 1, 1], 1e-3)
    tensors.update({f"first_step_clipped_grad.{n.replace('base_model.model.', '', 1)}": g for n, g in grads.items() if ".layers.1." in n})
    save_adapter(model, f"{HERE}/experts_final")
    tensors["final_logits"] = logits_of(model.eval())
    merged = model.merge_and_unload()
    tensors["merged_logits"] = logits_of(merged)
    print("merged differs by", (tensors["merged_logits"] - tensors["final_logits"]).abs().max().item())
    save_file(thin(tensors), f"{HERE}/experts.safetensors")
    final = load_file(f"{HERE}/experts_final/adapter_model.safetensors")
    save_file(thin(final), f"{HERE}/experts_final/adapter_model.safetensors")
    dump("experts.json", result)


def balance():
    model = model_of().eval()
    model.config.text_config.router_aux_loss_coef = COEFFICIENT
    values = []
    for names in (["one"], ["text"], ["two"], ["one", "text", "two"], ["turns", "long"]):
        given, labels = batch([SAMPLES[name] for name in names])
        with torch.no_grad():
            out = model(**given, labels=labels, output_router_logits=True)
            plain = model(**given, labels=labels)
        values.append(dict(samples=names, aux=out.aux_loss.item(), loss=out.loss.item(), loss_without=plain.loss.item()))
        print(values[-1])
    from peft import PeftModel
    adapted = PeftModel.from_pretrained(model_of(), f"{HERE}/adapter_init", is_trainable=True).train()
    lora, _ = train(adapted, 4, [2, 2], 1e-3, COEFFICIENT)
    whole = model_of().train()
    for p in whole.parameters(): p.requires_grad_(True)
    full, grads = train(whole, 4, [2, 2], 2e-4, COEFFICIENT)
    save_file(thin({f"first_step_clipped_grad.{n}": g for n, g in grads.items() if n.endswith("mlp.gate.weight")}), f"{HERE}/balance.safetensors")
    dump("balance.json", dict(coefficient=COEFFICIENT, values=values))
    dump("balance_lora.json", lora)
    dump("balance_full.json", full)


for name in WHAT:
    dict(greedy=greedy, experts=experts, balance=balance)[name]()
