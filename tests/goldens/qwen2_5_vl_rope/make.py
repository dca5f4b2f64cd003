"""Scaled rotary frequencies of Qwen2.5-VL as Transformers 5.12 computes them, in the spellings of Transformers 4 and 5.
cases.json: what is put into the tiny model's config.json, and the frequencies and the factor on cosines and sines that come of it.
logits.safetensors: logits of a few rows of one sample (text, an image of 8 x 12 patches, text) under each; ids and pixels follow from sample() below.
Usage: bench/peer/python tests/goldens/qwen2_5_vl_rope/make.py MODEL OUT (MODEL: artifacts/goldens/qwen2_5_vl_tiny-*/model, which ./test draws)"""
import copy, json, sys, tempfile, os
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

model, out = sys.argv[1], sys.argv[2]
flat = json.load(open(f"{model}/config.json"))
mrope = flat["rope_scaling"]["mrope_section"]
readme = dict(type="yarn", factor=4.0, original_max_position_embeddings=32768)  # Qwen2.5-VL's README, for long texts


def changed(old=None, new=None, **others):
    """The flat file with another rope_scaling (Transformers 4), or what Transformers 5 writes of it with other rope_parameters."""
    config = copy.deepcopy(flat)
    if old is not None:
        config["rope_scaling"] = dict(old, mrope_section=mrope)
        config.update(others)
        return config
    with tempfile.TemporaryDirectory() as folder:
        Qwen2_5_VLConfig(**config).save_pretrained(folder)
        config = json.load(open(f"{folder}/config.json"))
    config["text_config"]["rope_parameters"] = dict(new, mrope_section=mrope)
    return config


cases = {
    "default": changed(dict(type="mrope")),
    "yarn": changed(dict(type="yarn", factor=4.0, original_max_position_embeddings=64)),
    "yarn_from_max_positions": changed(dict(type="yarn", rope_type="yarn", factor=2.0, attention_factor=1.25), max_position_embeddings=256),
    "yarn_all": changed(new=dict(rope_type="yarn", rope_theta=50000.0, factor=8.0, original_max_position_embeddings=128, beta_fast=16.0, beta_slow=2.0,
                                 mscale=0.9, mscale_all_dim=0.4, truncate=False)),
    "yarn_theta_beside": changed(dict(type="yarn", factor=4.0, original_max_position_embeddings=64), rope_theta=10000.0),
    "linear": changed(dict(type="linear", factor=2.5)),
    "linear_5": changed(new=dict(rope_type="linear", rope_theta=1000000.0, factor=3.0)),
}


def sample():
    ids = [(i * 53 + 7) % 1900 for i in range(40)]
    ids += [flat["vision_start_token_id"]] + [flat["image_token_id"]] * 24 + [flat["vision_end_token_id"]]
    ids += [(i * 31 + 11) % 1900 for i in range(240)]
    pixels = ((torch.arange(96 * 1176) * 37) % 101).float() / 50 - 1
    return torch.tensor([ids]), pixels.view(96, 1176), torch.tensor([[1, 8, 12]])


ids, pixels, grid = sample()
rows = [10, 60, 120, 305]
known, logits = {}, {}
for name, config in cases.items():
    with tempfile.TemporaryDirectory() as folder:
        json.dump(config, open(f"{folder}/config.json", "w"))
        os.symlink(os.path.realpath(f"{model}/model.safetensors"), f"{folder}/model.safetensors")
        m = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    rotary = m.model.language_model.rotary_emb
    known[name] = dict(config=config, inv_freq=rotary.inv_freq.double().tolist(), attention_scaling=float(rotary.attention_scaling))
    with torch.no_grad():
        got = m(input_ids=ids, pixel_values=pixels, image_grid_thw=grid, mm_token_type_ids=(ids == flat["image_token_id"]).int()).logits[0]
    logits[name] = got[rows, :256].contiguous()
    print(name, known[name]["attention_scaling"], (logits[name] - logits["default"]).abs().max().item())

# The published 7B with the README's lines: the frequencies alone.
config = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qwen2_5_vl_configs/7b/config.json")))
config["rope_scaling"] = dict(readme, mrope_section=config["rope_scaling"]["mrope_section"])
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLRotaryEmbedding
rotary = Qwen2_5_VLRotaryEmbedding(Qwen2_5_VLConfig(**config).text_config)
known["readme_7b"] = dict(config=config, inv_freq=rotary.inv_freq.double().tolist(), attention_scaling=float(rotary.attention_scaling))
json.dump(known, open(f"{out}/cases.json", "w"), indent=1)
save_file(logits, f"{out}/logits.safetensors")
