"""Makes minimind.json: greedy answers by the published MiniMind-V code (jingyaogong/minimind-v @ 6f00fc7 and @ 9595617) with the random weights of
../minimind_a and ../minimind_c, fp32, CPU: the whole sequence is computed anew for every token. Its patches are those of the generate.py there that
concern the model. Needs torch and transformers.
  minimind.py SOURCE_A SOURCE_C GOLDEN_A GOLDEN_C     (checkouts; golden folders with the weights as files)
"""
import importlib, json, os, sys, types
import torch
import transformers
from PIL import Image
from transformers import AutoTokenizer

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
SOURCES, GOLDENS = sys.argv[1:3], [os.path.abspath(folder) for folder in sys.argv[3:5]]
TOKENS = 12
STORY = "The quick brown fox jumps over the lazy dog. " * 4
PROMPTS = [
    (["Hi"], []), (["<image>\nWhat do you see?"], ["i0.png"]), ([STORY], []), (["<image>\n<image>\n比较这两张图。"], ["i5.png", "i0.png"]),
    (["One", "Two", "Three", "Four", "Five"], []), (["你好，请介绍一下你自己。"], []), (["<image>\nIs it grey?"], ["i3.png"]),
]


def load(generation, source, golden, moe):
    for name in [name for name in sys.modules if name == "model" or name.startswith("model.")]:
        del sys.modules[name]
    sys.path.insert(0, os.path.abspath(source))
    code = importlib.import_module("model.model_vlm")
    sys.path.pop(0)
    if generation == "a":
        code.VisionProj.__init__.__defaults__ = (64, 512)
        code.CLIPProcessor = types.SimpleNamespace(from_pretrained=transformers.CLIPImageProcessorPil.from_pretrained)
        code.MiniMindVLM.get_vision_model.__defaults__ = (f"{golden}/vision/clip-vit-base-patch16",)
        config = code.VLMConfig(dim=64, n_layers=2, n_heads=4, n_kv_heads=2, use_moe=moe, max_seq_len=1024)
        model = code.MiniMindVLM(config)
        weights = f"{golden}/{'moe/lm_64_moe' if moe else 'dense/lm_64'}.pth"
    else:
        code.SiglipImageProcessor = transformers.SiglipImageProcessorPil
        config = code.VLMConfig(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, image_hidden_size=64, use_moe=moe)
        model = code.MiniMindVLM(config, vision_model_path=f"{golden}/vision/siglip2-base-p32-256-ve")
        weights = f"{golden}/{'moe/llm_64_moe' if moe else 'dense/llm_64'}.pth"
    missing, extra = model.load_state_dict(torch.load(weights), strict=False)
    assert not extra and all(name.startswith("vision_encoder.") for name in missing), (missing, extra)
    return code, model.float().eval(), config


def answer(generation, code, model, config, tokenizer, golden, texts, images):
    special = config.image_special_token if generation == "a" else config.image_special_token * 64
    messages = [dict(role="user" if i % 2 == 0 else "assistant", content=text.replace("<image>", special)) for i, text in enumerate(texts)]
    ids = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)).input_ids
    seen = [code.MiniMindVLM.image2tensor(Image.open(f"{golden}/data/images/{name}"), model.processor) for name in images]
    if generation == "a":
        pixels = dict(pixel_tensors=torch.cat(seen).unsqueeze(0)) if seen else {}
    else:
        pixels = dict(pixel_values={"pixel_values": torch.cat([one["pixel_values"] for one in seen]).unsqueeze(0)}) if seen else {}
    made, gap = [], 1e9
    for _ in range(TOKENS):
        with torch.no_grad():
            logits = model(torch.tensor([ids + made]), **pixels).logits[0, -1]
        two = logits.topk(2)
        gap = min(gap, float(two.values[0] - two.values[1]))
        made.append(int(two.indices[0]))
    return dict(images=images, prompt_ids=ids, output_ids=made, smallest_gap=gap)


result = dict(torch=torch.__version__, transformers=transformers.__version__)
for generation, source, golden in zip("ac", SOURCES, GOLDENS):
    tokenizer = AutoTokenizer.from_pretrained(f"{golden}/tokenizer")
    for moe in (False, True):
        parts = load(generation, source, golden, moe)
        rows = [answer(generation, *parts, tokenizer, golden, *prompt) for prompt in PROMPTS]
        result[f"{generation} {'moe' if moe else 'dense'}"] = rows
        print(generation, moe, [len(row["prompt_ids"]) for row in rows], ["%.1e" % row["smallest_gap"] for row in rows], rows[1]["output_ids"])
json.dump(result, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "minimind.json"), "w"), separators=(",", ":"))
