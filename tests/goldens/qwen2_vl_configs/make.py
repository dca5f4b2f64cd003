"""Writes config.json of the published Qwen2-VL sizes (the numbers of their hub pages) and prints parameter counts worked out from the shapes alone."""
import json, os

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [  # name, hidden, intermediate, layers, heads, kv heads, vocabulary, tied
    ("2b", 1536, 8960, 28, 12, 2, 151936, True),
    ("7b", 3584, 18944, 28, 28, 4, 152064, False),
    ("72b", 8192, 29568, 80, 64, 8, 152064, False),
]
for name, hidden, inner, layers, heads, kv, vocabulary, tied in SIZES:
    config = dict(
        architectures=["Qwen2VLForConditionalGeneration"], attention_dropout=0.0, bos_token_id=151643, eos_token_id=151645,
        vision_start_token_id=151652, vision_end_token_id=151653, vision_token_id=151654, image_token_id=151655, video_token_id=151656,
        hidden_act="silu", hidden_size=hidden, initializer_range=0.02, intermediate_size=inner, max_position_embeddings=32768,
        max_window_layers=layers, model_type="qwen2_vl", num_attention_heads=heads, num_hidden_layers=layers, num_key_value_heads=kv,
        rms_norm_eps=1e-06, rope_theta=1000000.0, sliding_window=32768, tie_word_embeddings=tied, torch_dtype="bfloat16", use_cache=True,
        use_sliding_window=False,
        vision_config=dict(
            depth=32, embed_dim=1280, mlp_ratio=4, num_heads=16, in_chans=3, hidden_size=hidden, patch_size=14, spatial_merge_size=2,
            spatial_patch_size=14, temporal_patch_size=2),
        rope_scaling=dict(type="mrope", mrope_section=[16, 24, 24]), vocab_size=vocabulary)
    os.makedirs(f"{HERE}/{name}", exist_ok=True)
    with open(f"{HERE}/{name}/config.json", "w") as file:
        file.write(json.dumps(config, indent=2) + "\n")

    d = kv * hidden // heads
    layer = 2 * hidden + (hidden + 1) * (hidden + 2 * d) + hidden * hidden + 3 * hidden * inner
    language = layer * layers + hidden + vocabulary * hidden * (1 if tied else 2)
    block = 4 * 1280 + 1281 * 3840 + 1281 * 1280 + 1281 * 5120 + 5121 * 1280
    tower = 1280 * 1176 + 32 * block + 2 * 1280 + 5121 * 5120 + 5121 * hidden
    lora = 8 * layers * (2 * (hidden + hidden) + 2 * (hidden + d) + 3 * (hidden + inner))
    print(f"{name}: {language + tower:,} parameters, LoRA of rank 8 on the language model {lora:,}")
