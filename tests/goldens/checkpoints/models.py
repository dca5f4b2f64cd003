"""Draws the two tiny models that the checkpoints are of, with nothing but Python's own library: models.py FOLDER
FOLDER/qwen is a Qwen2.5-VL, FOLDER/minimind a MiniMind-V (2026) with experts. The tokenizer knows bytes and nothing longer: the tables stay small."""
import json, os, random, struct, sys

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
ID = {name: 256 + i for i, name in enumerate(SPECIALS)}
ROWS, WIDTH, INNER, HEADS, LAYERS, PATCH = 264, 16, 32, 2, 2, 8
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def save(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")


def tokenizer(folder):
    spare, letters = 0x100, []
    for b in range(256):
        shown = 32 < b < 127 or 160 < b and b != 173
        letters.append(chr(b if shown else spare))
        spare += not shown
    added = lambda name: dict(content=name, lstrip=False, normalized=False, rstrip=False, single_word=False, special=True)
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=False, use_regex=False)
    save(f"{folder}/tokenizer.json", dict(
        version="1.0", truncation=None, padding=None, added_tokens=[dict(id=ID[name], **added(name)) for name in SPECIALS], normalizer=dict(type="NFC"),
        pre_tokenizer=dict(type="Sequence", pretokenizers=[dict(type="Split", pattern=dict(Regex=SPLIT), behavior="Isolated", invert=False), level]),
        post_processor=level, decoder=level,
        model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False, byte_fallback=False,
                   ignore_merges=False, vocab={letter: i for i, letter in enumerate(letters)}, merges=[])))
    save(f"{folder}/tokenizer_config.json", dict(
        add_prefix_space=False, added_tokens_decoder={str(ID[name]): added(name) for name in SPECIALS}, bos_token=None, clean_up_tokenization_spaces=False,
        eos_token="<|im_end|>", errors="replace", model_max_length=2048, pad_token="<|endoftext|>", split_special_tokens=False,
        tokenizer_class="Qwen2Tokenizer", unk_token=None))


def weights(path, shapes, seed):
    draw, header, data, at = random.Random(seed), {}, b"", 0
    for name, shape in sorted(shapes.items()):
        count = 1
        for size in shape:
            count *= size
        deviation, mean = (0.2, 0) if len(shape) > 1 else (0.1, 0) if name.endswith("bias") else (0.1, 1)
        part = struct.pack(f"<{count}f", *(draw.gauss(mean, deviation) for _ in range(count)))
        header[name] = dict(dtype="F32", shape=shape, data_offsets=[at, at + len(part)])
        data, at = data + part, at + len(part)
    text = json.dumps(dict(__metadata__=dict(format="pt"), **header)).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def linear(shapes, name, rows, columns, bias=False):
    shapes[f"{name}.weight"] = [rows, columns]
    if bias:
        shapes[f"{name}.bias"] = [rows]


def qwen(folder):
    tokenizer(folder)
    save(f"{folder}/preprocessor_config.json", dict(
        image_processor_type="Qwen2VLImageProcessor", processor_class="Qwen2_5_VLProcessor", min_pixels=1024, max_pixels=4096, patch_size=PATCH,
        temporal_patch_size=2, merge_size=2, image_mean=[0.5, 0.5, 0.5], image_std=[0.25, 0.25, 0.25]))
    save(f"{folder}/config.json", dict(
        architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl", torch_dtype="float32", attention_dropout=0.0,
        bos_token_id=ID["<|endoftext|>"], eos_token_id=ID["<|im_end|>"], vision_start_token_id=ID["<|vision_start|>"],
        vision_end_token_id=ID["<|vision_end|>"], vision_token_id=ID["<|vision_pad|>"], image_token_id=ID["<|image_pad|>"],
        video_token_id=ID["<|video_pad|>"], hidden_act="silu", hidden_size=WIDTH, intermediate_size=INNER, max_position_embeddings=2048,
        num_attention_heads=HEADS, num_hidden_layers=LAYERS, num_key_value_heads=1, rms_norm_eps=1e-6, rope_theta=1000000.0,
        rope_scaling=dict(type="mrope", mrope_section=[2, 1, 1]), tie_word_embeddings=True, vocab_size=ROWS,
        vision_config=dict(
            model_type="qwen2_5_vl", depth=2, hidden_act="silu", hidden_size=WIDTH, intermediate_size=INNER, num_heads=HEADS, in_chans=3,
            out_hidden_size=WIDTH, patch_size=PATCH, spatial_merge_size=2, spatial_patch_size=PATCH, temporal_patch_size=2, tokens_per_second=2,
            window_size=4 * PATCH, fullatt_block_indexes=[1])))
    shapes, half = {"model.embed_tokens.weight": [ROWS, WIDTH], "model.norm.weight": [WIDTH]}, WIDTH // HEADS
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        for norm in "input_layernorm", "post_attention_layernorm":
            shapes[f"{layer}.{norm}.weight"] = [WIDTH]
        linear(shapes, f"{layer}.self_attn.q_proj", WIDTH, WIDTH, bias=True)
        linear(shapes, f"{layer}.self_attn.k_proj", half, WIDTH, bias=True)
        linear(shapes, f"{layer}.self_attn.v_proj", half, WIDTH, bias=True)
        linear(shapes, f"{layer}.self_attn.o_proj", WIDTH, WIDTH)
        mlp(shapes, f"{layer}.mlp", False)
        block = f"visual.blocks.{i}"
        for norm in "norm1", "norm2":
            shapes[f"{block}.{norm}.weight"] = [WIDTH]
        linear(shapes, f"{block}.attn.qkv", 3 * WIDTH, WIDTH, bias=True)
        linear(shapes, f"{block}.attn.proj", WIDTH, WIDTH, bias=True)
        mlp(shapes, f"{block}.mlp", True)
    shapes["visual.patch_embed.proj.weight"] = [WIDTH, 3, 2, PATCH, PATCH]
    shapes["visual.merger.ln_q.weight"] = [WIDTH]
    linear(shapes, "visual.merger.mlp.0", 4 * WIDTH, 4 * WIDTH, bias=True)
    linear(shapes, "visual.merger.mlp.2", WIDTH, 4 * WIDTH, bias=True)
    weights(f"{folder}/model.safetensors", shapes, 1)


def mlp(shapes, name, bias):
    linear(shapes, f"{name}.gate_proj", INNER, WIDTH, bias)
    linear(shapes, f"{name}.up_proj", INNER, WIDTH, bias)
    linear(shapes, f"{name}.down_proj", WIDTH, INNER, bias)


def minimind(folder):
    picture, experts, head = 64, 2, WIDTH // HEADS
    tokens = (picture // PATCH) ** 2
    tokenizer(folder)
    save(f"{folder}/config.json", dict(
        model_type="minimind-v", hidden_size=WIDTH, intermediate_size=INNER, moe_intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=1, vocab_size=ROWS, image_ids=[ID["<|image_pad|>"]], image_token_len=tokens, max_position_embeddings=2048, use_moe=True,
        num_experts=experts, weights="model.safetensors", vision_model="encoder"))
    save(f"{folder}/encoder/config.json", dict(
        model_type="siglip_vision_model", hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=1, num_attention_heads=HEADS, image_size=picture,
        patch_size=PATCH, hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-6))
    save(f"{folder}/encoder/preprocessor_config.json", dict(
        image_processor_type="SiglipImageProcessor", resample=2, size=dict(height=picture, width=picture), image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5]))
    shapes = {"model.embed_tokens.weight": [ROWS, WIDTH], "model.norm.weight": [WIDTH]}
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        for norm in "input_layernorm", "post_attention_layernorm":
            shapes[f"{layer}.{norm}.weight"] = [WIDTH]
        linear(shapes, f"{layer}.self_attn.q_proj", WIDTH, WIDTH)
        linear(shapes, f"{layer}.self_attn.k_proj", head, WIDTH)
        linear(shapes, f"{layer}.self_attn.v_proj", head, WIDTH)
        linear(shapes, f"{layer}.self_attn.o_proj", WIDTH, WIDTH)
        for norm in "q_norm", "k_norm":
            shapes[f"{layer}.self_attn.{norm}.weight"] = [head]
        linear(shapes, f"{layer}.mlp.gate", experts, WIDTH)
        for e in range(experts):
            mlp(shapes, f"{layer}.mlp.experts.{e}", False)
    for part, norm in ("vision_proj.mlp.0", True), ("vision_proj.mlp.1", False), ("vision_proj.mlp.3", False):
        linear(shapes, part, WIDTH, WIDTH, bias=True)
        if norm:
            shapes[f"{part}.weight"] = [WIDTH]
    weights(f"{folder}/model.safetensors", shapes, 2)

    shapes = {"embeddings.position_embedding.weight": [tokens, WIDTH], "embeddings.patch_embedding.weight": [WIDTH, 3, PATCH, PATCH]}
    shapes["embeddings.patch_embedding.bias"] = [WIDTH]
    for norm in "encoder.layers.0.layer_norm1", "encoder.layers.0.layer_norm2", "post_layernorm":
        shapes[f"{norm}.weight"], shapes[f"{norm}.bias"] = [WIDTH], [WIDTH]
    for part in "q_proj", "k_proj", "v_proj", "out_proj":
        linear(shapes, f"encoder.layers.0.self_attn.{part}", WIDTH, WIDTH, bias=True)
    linear(shapes, "encoder.layers.0.mlp.fc1", INNER, WIDTH, bias=True)
    linear(shapes, "encoder.layers.0.mlp.fc2", WIDTH, INNER, bias=True)
    weights(f"{folder}/encoder/model.safetensors", shapes, 3)


qwen(f"{sys.argv[1]}/qwen")
minimind(f"{sys.argv[1]}/minimind")
