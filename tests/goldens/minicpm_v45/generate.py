"""Golden data of MiniCPM-V-4.5: the Hugging Face Hub's code of openbmb/MiniCPM-V-4_5 (as in PcOffeeP/FineTune_MLLM @ 673b2a5, Model/MiniCPM-VL-4.5) with
OpenBMB/MiniCPM-V @ 0dbb566 finetune/{dataset,trainer}.py and PEFT @ 5d602fd on small random weights, fp32, eager attention, CPU, one thread.
  generate.py HUB_SOURCE CPM_SOURCE GOLDENS OUT TEMPORARY
HUB_SOURCE: that folder; CPM_SOURCE: a checkout; GOLDENS: tests/goldens, of which minicpm_v26's tokenizer and pictures are used; OUT: this folder anew.
Needs torch, torchvision, transformers 5.12, peft. ../shrink.py then makes the results small. What had to change for Transformers 5 goes to patches.txt.
"""
import hashlib, importlib, json, math, os, shutil, sys, types

HUB, CPM, GOLDENS, OUT, TEMPORARY = map(os.path.abspath, sys.argv[1:6])
import torch, transformers
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torchvision import transforms

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
shutil.rmtree(TEMPORARY, ignore_errors=True)
shutil.copytree(HUB, f"{TEMPORARY}/hub45")
open(f"{TEMPORARY}/hub45/__init__.py", "w").close()
shutil.copytree(f"{CPM}/finetune", f"{TEMPORARY}/finetune")
sys.path[:0] = [TEMPORARY, f"{TEMPORARY}/finetune"]
PATCHES = []


def patch(path, old, new, why):
    with open(f"{TEMPORARY}/{path}") as f:
        text = f.read()
    assert old in text, (path, old)
    with open(f"{TEMPORARY}/{path}", "w") as f:
        f.write(text.replace(old, new))
    PATCHES.append(f"{os.path.basename(path)}: {old.strip()!r} -> {new.strip()!r}: {why}")


patch("hub45/tokenization_minicpmv_fast.py", "from transformers import Qwen2TokenizerFast", "from transformers import PreTrainedTokenizerFast as Qwen2TokenizerFast",
      "the class of transformers 5 builds another tokenizer of vocabulary and merges")
if not hasattr(transformers.PretrainedConfig(), "use_return_dict"):
    patch("hub45/modeling_navit_siglip.py", "self.config.use_return_dict", "self.config.return_dict", "renamed in transformers 5")
patch("finetune/trainer.py", "import deepspeed\n", "", "not installed; only imported")
from hub45.configuration_minicpm import MiniCPMVConfig
from hub45.image_processing_minicpmv import MiniCPMVImageProcessor
from hub45.modeling_minicpmv import MiniCPMV
from hub45.tokenization_minicpmv_fast import MiniCPMVTokenizerFast
import dataset as D
CPMTrainer = importlib.import_module("trainer").CPMTrainer
QUERIES, SEED = 16, 45
SLICES = dict(max_slice_nums=9, patch_size=14, scale_resolution=112)
IMAGES = f"{GOLDENS}/minicpm_v26/data/images"


class OwnTokenizer(MiniCPMVTokenizerFast):
    def apply_chat_template(self, *a, **k):
        if k.get("tokenize", True):
            k.setdefault("return_dict", False)
        return super().apply_chat_template(*a, **k)


PATCHES.append("tokenizer.apply_chat_template(tokenize=True): return_dict=False by default, as before transformers 5")

# ---- model folder
for folder in ("model", "data"):
    shutil.rmtree(f"{OUT}/{folder}", ignore_errors=True)
    os.makedirs(f"{OUT}/{folder}")
told = json.load(open(f"{GOLDENS}/minicpm_v26/model/tokenizer.json"))
last = max(token["id"] for token in told["added_tokens"])
for i, token in enumerate(("<think>", "</think>")):
    told["added_tokens"].append(dict(id=last + 1 + i, content=token, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False))
json.dump(told, open(f"{OUT}/model/tokenizer.json", "w"), ensure_ascii=False)
theirs = json.load(open(f"{HUB}/tokenizer_config.json"))
json.dump({**{k: v for k, v in theirs.items() if k not in ("added_tokens_decoder", "additional_special_tokens", "auto_map", "extra_special_tokens")},
           "tokenizer_class": "PreTrainedTokenizerFast"}, open(f"{OUT}/model/tokenizer_config.json", "w"), indent=1)
tok = OwnTokenizer.from_pretrained(f"{OUT}/model")
tok._tokenizer = Tokenizer.from_file(f"{OUT}/model/tokenizer.json")
published = json.load(open(f"{HUB}/config.json"))
assert "scale_resolution" not in published["slice_config"]
config = {**published, "hidden_size": 256, "intermediate_size": 352, "max_position_embeddings": 4096, "max_window_layers": 2, "num_attention_heads": 4,
          "num_hidden_layers": 2, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": len(tok), "query_num": QUERIES, "torch_dtype": "float32",
          "bos_token_id": tok.convert_tokens_to_ids("<|endoftext|>"), "eos_token_id": tok.convert_tokens_to_ids("<|im_end|>"),
          "slice_config": {**published["slice_config"], "scale_resolution": 112},
          "vision_config": {**published["vision_config"], "hidden_size": 64, "intermediate_size": 112, "num_attention_heads": 4, "num_hidden_layers": 3}}
config.pop("auto_map")
json.dump(config, open(f"{OUT}/model/config.json", "w"), indent=1)
images = {**json.load(open(f"{HUB}/preprocessor_config.json")), "scale_resolution": 112, "image_feature_size": QUERIES}
images.pop("auto_map")
json.dump(images, open(f"{OUT}/model/preprocessor_config.json", "w"), indent=1)


def drawn(model):
    stream = torch.Generator().manual_seed(SEED)
    for name, p in model.named_parameters():
        if p.dim() == 1 and name.endswith("weight"):
            deviation, mean = 0.2, 1.0
        else:
            mean = 0.0
            if p.dim() == 1:
                deviation = 0.15
            elif "embed_tokens" in name or "position_embedding" in name:
                deviation = 0.5
            elif "lm_head" in name:
                deviation = 0.8 / math.sqrt(p.shape[1])
            elif name.endswith("resampler.query"):
                deviation = 1.0
            elif "in_proj_weight" in name or ".self_attn.q_proj" in name or ".self_attn.k_proj" in name:
                deviation = 1.5 / math.sqrt(p.shape[1])
            else:
                deviation = 1.2 / math.sqrt(p[0].numel())
        with torch.no_grad():
            p.copy_(mean + deviation * torch.randn(p.shape, generator=stream))


def build():
    own = {k: v for k, v in config.items() if k not in ("model_type", "architectures", "torch_dtype", "slice_mode", "patch_size", "_name_or_path")}
    made = MiniCPMVConfig(**own)
    made._attn_implementation = "eager"
    model = MiniCPMV(made)
    drawn(model)
    return model.float()


model = build()
START = {k: v.clone() for k, v in model.state_dict().items()}
assert not [k for k in START if "pos_embed" in k]
save_file(START, f"{OUT}/model/model.safetensors", metadata={"format": "pt"})


# ---- rows
def turns(*texts):
    return [dict(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(texts)]


def thought(text, answer):
    return f"<think>\n{text}\n</think>\n\n{answer}"


ROWS = [
    dict(id="0", image="sq.png", conversations=turns("<image>\nWhat is in the picture?", "Coloured shapes.")),
    dict(id="1", image="wide.png", conversations=turns("<image>\nDescribe it.", "It is wide.", "How many colours are there?", "About six. 谢谢")),
    dict(id="2", image="tall.png", conversations=turns("What is this?", "A tall picture of shapes on waves.")),
    dict(id="3", image={"<image_00>": "small.png", "<image_01>": "mid.png"},
         conversations=turns("<image_00> and <image_01>\nCompare the two.", "The second one is larger.")),
    dict(id="4", image="sq.png", conversations=turns("<image>\nHow many?", thought("I count the shapes.", "Eight."))),
    dict(id="5", image="small.png", conversations=turns("<image>\nSquare?", thought("60 by 50.", "No."), "Round?", "The assistant\nsays no.")),
    dict(id="6", image="p.png", conversations=turns("<image>\nSize?", thought("Look.", "Small."), "Sure?", thought("It is\n\n150 by 95.", "\n\nYes, small."))),
    dict(id="7", image="small.png", conversations=turns("<image>\nTiny?", "<think>\n\n</think>\n\nTiny.")),
    dict(id="8", image="sq.png", conversations=turns("<image>\nOne?", "One.", "<tool_response>\n2\n</tool_response>", "<think>odd</think>Two.")),
]
json.dump(ROWS, open(f"{OUT}/data/train.json", "w"), ensure_ascii=False, indent=1)


def full(row):
    named = row["image"]
    return {**json.loads(json.dumps(row)), "image": f"{IMAGES}/{named}" if isinstance(named, str) else {k: f"{IMAGES}/{v}" for k, v in named.items()}}


to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean=(.5,) * 3, std=(.5,) * 3)])
rows = D.SupervisedDataset([full(row) for row in ROWS], to_tensor, tok, dict(SLICES), llm_type="qwen", patch_size=14, query_nums=QUERIES, batch_vision=True,
                           max_length=2048)


def digest(t):
    return hashlib.sha256(t.contiguous().numpy().tobytes()).hexdigest()


def encoded(i):
    row, pictures = rows[i], full(ROWS[i])["image"]
    pictures = {"<image>": pictures} if isinstance(pictures, str) else pictures
    raw = D.preprocess({k: Image.open(v).convert("RGB") for k, v in pictures.items()}, full(ROWS[i])["conversations"], tok, to_tensor, query_nums=QUERIES,
                       slice_config=dict(SLICES), llm_type="qwen", patch_size=14, batch_vision=True, max_length=2048)["raw_msg"]
    return dict(id=ROWS[i]["id"], raw_msg=raw.replace("<unk>" * QUERIES, f"[{QUERIES}x<unk>]"), input_ids=row["input_ids"].tolist(),
                target=row["labels"].tolist(), image_bound=[list(map(int, b)) for b in row["image_bound"]], tgt_sizes=row["tgt_sizes"].tolist(),
                pixel_shapes=[list(p.shape) for p in row["pixel_values"]], pixel_sha256=[digest(p) for p in row["pixel_values"]])


json.dump(dict(rows=[encoded(i) for i in range(len(ROWS))]), open(f"{OUT}/data/encoded.json", "w"), ensure_ascii=False)

# The model's own prompts: what `chat` renders, with and without thinking.
PROMPTS = [turns("Hi"), turns("Hi", "Hello.", "Again?"), turns("Hi", thought("Greet.", "Hello."), "Again?"), [dict(role="system", content="Be brief."), *turns("Hi")]]
json.dump([dict(messages=messages, enable_thinking=thinks, text=tok.apply_chat_template(
    messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinks)) for messages in PROMPTS for thinks in (False, True)],
    open(f"{OUT}/prompts.json", "w"), ensure_ascii=False, indent=1)


# ---- forward
def stub(model, lora):
    return types.SimpleNamespace(args=types.SimpleNamespace(use_lora=lora), model=model)


def batch(chosen):
    return D.data_collator([rows[i] for i in chosen], max_length=2048)


def forward(chosen):
    given, seen, hooks = batch(chosen), {}, []

    def watch(module, key, take=lambda o: o):
        hooks.append(module.register_forward_hook(lambda m, i, o: seen.__setitem__(key, take(o).clone())))
    first = lambda o: o[0] if isinstance(o, tuple) else o
    watch(model.vpm.embeddings, "vision_embed")
    watch(model.vpm.encoder.layers[0], "vision_layer0", first)
    watch(model.vpm.post_layernorm, "vision_out")
    watch(model.resampler.ln_kv, "resampler_kv")
    watch(model.resampler, "resampler_out")
    decoder = model.llm.model
    hooks.append(decoder.layers[0].register_forward_pre_hook(
        lambda m, a, k: seen.__setitem__("inputs_embeds", (a[0] if a else k["hidden_states"]).clone()), with_kwargs=True))
    for i, layer in enumerate(decoder.layers):
        watch(layer, f"hidden_out.{i}", first)
    watch(decoder.norm, "hidden_norm")
    with torch.no_grad():
        loss, out = CPMTrainer.compute_loss(stub(model, False), model, dict(given), return_outputs=True)
    for hook in hooks:
        hook.remove()
    logits, target = out.logits, given["labels"].long()
    nll = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1), ignore_index=-100, reduction="none").view(target.shape)
    key = "rows_" + "_".join(map(str, chosen))
    tensors = {f"{key}.nll": nll}
    places = list(range(0, logits.shape[1], max(1, logits.shape[1] // 6)))
    if len(chosen) == 1:
        tensors[f"{key}.logits_at"] = logits[0, places]
        tensors |= {f"{key}.{k}": v for k, v in seen.items()}
    return dict(case=key, rows=chosen, loss=float(loss), logits_positions=places), tensors


model.eval()
cases, tensors = [], {}
for chosen in ([0], [1], [2], [3], [4], [5], [6], [7], [8], [1, 4], [6, 3]):
    case, made = forward(chosen)
    cases.append(case)
    tensors |= made if chosen in ([0], [1]) else {k: v for k, v in made.items() if k.endswith(".nll")}
json.dump(cases, open(f"{OUT}/forward.json", "w"))
save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, f"{OUT}/forward.safetensors")

# ---- training
from peft import LoraConfig, get_peft_model
from transformers import Trainer, get_cosine_schedule_with_warmup


def save_adapter(model):
    folder = f"{OUT}/adapter_init"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    said = json.load(open(f"{folder}/adapter_config.json"))
    said["base_model_name_or_path"] = None
    for key in ("target_modules", "modules_to_save"):
        said[key] = sorted(said[key]) if isinstance(said[key], list) else said[key]
    json.dump(said, open(f"{folder}/adapter_config.json", "w"), indent=1, sort_keys=True)
    from safetensors.torch import load_file
    stored = load_file(f"{folder}/adapter_model.safetensors")
    json.dump({k: list(v.shape) for k, v in stored.items()}, open(f"{folder}/names.json", "w"), indent=0)
    save_file({k: v for k, v in stored.items() if "lora_" in k}, f"{folder}/adapter_model.safetensors")
    if os.path.exists(f"{folder}/README.md"):
        os.remove(f"{folder}/README.md")


def train(name, lora, rate, size, accumulation, steps, keep):
    torch.manual_seed(0)
    model = build()
    if lora:
        for p in model.llm.parameters():
            p.requires_grad = False
        model = get_peft_model(model, LoraConfig(
            r=8, lora_alpha=16, target_modules=r"llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)", lora_dropout=0.0, bias="none",
            layers_to_transform=None, modules_to_save=["embed_tokens", "resampler", "vpm"]))
        save_adapter(model)
    model.train()
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    decays = set(Trainer.get_decay_parameter_names(types.SimpleNamespace(), model))
    groups = [dict(params=[p for n, p in learning if (n in decays) == so], weight_decay=0.1 if so else 0.0) for so in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), eps=1e-8)
    schedule = get_cosine_schedule_with_warmup(optimizer, math.ceil(0.01 * steps), steps)
    log, tensors, at = [], {}, 0
    for step in range(steps):
        parts = []
        for _ in range(accumulation):
            chosen = [(at + i) % len(ROWS) for i in range(size)]
            at += size
            loss = CPMTrainer.compute_loss(stub(model, lora), model, batch(chosen))
            (loss / accumulation).backward()
            parts.append(dict(rows=chosen, loss=float(loss)))
        norm = float(torch.nn.utils.clip_grad_norm_([p for _, p in learning], 1e30))
        if step == 0:
            tensors |= {f"grad_preclip.step0.{n}": p.grad.clone() for n, p in learning if p.grad is not None and any(n.endswith(k) for k in keep)}
        torch.nn.utils.clip_grad_norm_([p for _, p in learning], 1.0)
        now = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        log.append(dict(step=step, lr=now, loss=sum(p["loss"] for p in parts) / accumulation, grad_norm=norm, micro=parts))
        print(name, step, log[-1]["loss"], norm, flush=True)
    json.dump(dict(trainable=[n for n, _ in learning], trainable_params=sum(p.numel() for _, p in learning), decay=[n for n, _ in learning if n in decays],
                   log=log), open(f"{OUT}/{name}.json", "w"), indent=1)
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, f"{OUT}/{name}.safetensors")


train("train_full", False, 1e-3, 2, 1, 12, (
    "resampler.query", "resampler.kv_proj.weight", "resampler.ln_q.weight", "vpm.encoder.layers.0.self_attn.q_proj.weight",
    "vpm.embeddings.patch_embedding.bias", "llm.model.layers.0.self_attn.q_proj.weight", "llm.model.layers.0.self_attn.q_norm.weight",
    "llm.model.layers.1.self_attn.k_norm.weight", "llm.model.norm.weight", "vpm.post_layernorm.bias"))
train("train_lora", True, 3e-3, 1, 2, 12, ("lora_A.default.weight", "lora_B.default.weight", "modules_to_save.default.query", "modules_to_save.default.kv_proj.weight"))
with open(f"{OUT}/patches.txt", "w") as f:
    f.write("\n".join(PATCHES) + "\n")
