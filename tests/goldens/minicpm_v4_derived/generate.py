"""Golden data for MiniCPM-V-4 as a whole model: the Hugging Face Hub's code of MiniCPM-V-2.6 (as in 404805854/minicpmv2.6-onnx @ 8490e59) with Transformers'
own Llama and LongRoPE where Qwen2 stands, OpenBMB/MiniCPM-V @ 0dbb566 finetune/{dataset,trainer}.py and PEFT @ 0.20.1.dev0, on small random weights, fp32, eager
attention, CPU, one thread. README.md says what this has to do with V-4's own code.
  generate.py HUB_SOURCE CPM_SOURCE GOLDENS OUT TEMPORARY
HUB_SOURCE: that folder; CPM_SOURCE: a checkout; GOLDENS: tests/goldens, of which minicpm_v26's tokenizer, rows and pictures are used; OUT: this folder anew.
Needs torch, torchvision, transformers 5.12, peft. ../shrink.py then makes the results small. What had to change goes to patches.txt.
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
shutil.copytree(HUB, f"{TEMPORARY}/hub26")
open(f"{TEMPORARY}/hub26/__init__.py", "w").close()
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


patch("hub26/tokenization_minicpmv_fast.py", "from transformers.models.qwen2 import Qwen2TokenizerFast", "from transformers import PreTrainedTokenizerFast as Qwen2TokenizerFast",
      "the class of transformers 5 builds another tokenizer of vocabulary and merges")
if not hasattr(transformers.PretrainedConfig(), "use_return_dict"):
    patch("hub26/modeling_navit_siglip.py", "self.config.use_return_dict", "self.config.return_dict", "renamed in transformers 5")
patch("finetune/trainer.py", "import deepspeed\n", "", "not installed; only imported")
for name in ("modeling_minicpmv.py", "configuration_minicpm.py"):
    for kind in ("PreTrainedModel", "ForCausalLM", "Config"):
        with open(f"{TEMPORARY}/hub26/{name}") as f:
            if f"Qwen2{kind}" not in f.read():
                continue
        patch(f"hub26/{name}", f"Qwen2{kind}", f"Llama{kind}", "V-4's language model is Llama")
from hub26.configuration_minicpm import MiniCPMVConfig
from hub26.image_processing_minicpmv import MiniCPMVImageProcessor
from hub26.modeling_minicpmv import MiniCPMV
from hub26.tokenization_minicpmv_fast import MiniCPMVTokenizerFast
import dataset as D
CPMTrainer = importlib.import_module("trainer").CPMTrainer
QUERIES, SEED = 16, 81
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
for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
    shutil.copyfile(f"{GOLDENS}/minicpm_v26/model/{name}", f"{OUT}/model/{name}")
tok = OwnTokenizer.from_pretrained(f"{OUT}/model")
scaling = dict(rope_type="longrope", long_factor=[round(1 + 0.11 * i ** 1.35, 4) for i in range(32)],
               short_factor=[round(1 + 0.013 * i, 4) for i in range(32)], original_max_position_embeddings=128)
config = dict(
    architectures=["MiniCPMV"], version=4.0, model_type="minicpmv", batch_vision_input=True, drop_vision_last_layer=False, hidden_act="silu", hidden_size=256,
    image_size=448, initializer_range=0.02, intermediate_size=352, max_position_embeddings=4096, num_attention_heads=4, num_hidden_layers=2,
    num_key_value_heads=2, query_num=QUERIES, rms_norm_eps=1e-6, rope_theta=10000.0, attention_bias=False, mlp_bias=False, rope_scaling=scaling,
    tie_word_embeddings=False, use_cache=False, use_image_id=True, vision_batch_size=16, attention_dropout=0.0, vocab_size=len(tok),
    bos_token_id=tok.convert_tokens_to_ids("<|endoftext|>"), eos_token_id=tok.convert_tokens_to_ids("<|im_end|>"), pad_token_id=None,
    slice_config=dict(max_slice_nums=9, patch_size=14, scale_resolution=112, model_type="minicpmv"), slice_mode=True,
    vision_config=dict(hidden_size=64, image_size=980, intermediate_size=112, model_type="siglip", num_attention_heads=4, num_hidden_layers=3, patch_size=14),
    patch_size=14, torch_dtype="float32")
json.dump(config, open(f"{OUT}/model/config.json", "w"), indent=1)


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
ROWS = json.load(open(f"{GOLDENS}/minicpm_v26/data/train.json"))
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
# Samples of one batch that are shorter and longer than 128 tokens would all be turned as long ones.
for chosen in ([0], [1], [2], [3], [4], [5], [6], [7], [1, 7], [5, 3]):
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


train("train_full", False, 1e-3, 1, 2, 12, (
    "resampler.query", "resampler.kv_proj.weight", "resampler.ln_q.weight", "vpm.encoder.layers.0.self_attn.q_proj.weight",
    "vpm.embeddings.patch_embedding.bias", "llm.model.layers.0.self_attn.q_proj.weight", 
    "llm.model.norm.weight", "vpm.post_layernorm.bias"))
train("train_lora", True, 1e-3, 1, 2, 12, ("lora_A.default.weight", "lora_B.default.weight", "modules_to_save.default.query", "modules_to_save.default.kv_proj.weight"))
with open(f"{OUT}/patches.txt", "w") as f:
    f.write("\n".join(PATCHES) + "\n")
