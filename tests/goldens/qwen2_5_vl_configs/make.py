"""Writes config.json of the published Qwen2.5-VL sizes (the numbers of their hub pages) and prints parameter counts worked out from the shapes alone."""
import json, os

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [  # name, hidden, intermediate, layers, heads, kv heads, vocabulary, tied, max_window_layers, vision intermediate
    ("3b", 2048, 11008, 36, 16, 2, 151936, True, 70, 3420),
    ("7b", 3584, 18944, 28, 28, 4, 152064, False, 28, 3420),
    ("72b", 8192, 29568, 80, 64, 8, 152064, False, 80, 3456),
]
for name, hidden, inner, layers, heads, kv, vocabulary, tied, windows, vision in SIZES:
    config = dict(
        architectures=["Qwen2_5_VLForConditionalGeneration"], attention_dropout=0.0, bos_token_id=151643, eos_token_id=151645,
        vision_start_token_id=151652, vision_end_token_id=151653, vision_token_id=151654, image_token_id=151655, video_token_id=151656,
        hidden_act="silu", hidden_size=hidden, initializer_range=0.02, intermediate_size=inner, max_position_embeddings=128000,
        max_window_layers=windows, model_type="qwen2_5_vl", num_attention_heads=heads, num_hidden_layers=layers, num_key_value_heads=kv,
        rms_norm_eps=1e-06, rope_theta=1000000.0, sliding_window=32768, tie_word_embeddings=tied, torch_dtype="bfloat16", use_cache=True,
        use_sliding_window=False,
        vision_config=dict(
            depth=32, hidden_act="silu", hidden_size=1280, intermediate_size=vision, num_heads=16, in_chans=3, out_hidden_size=hidden,
            patch_size=14, spatial_merge_size=2, spatial_patch_size=14, window_size=112, fullatt_block_indexes=[7, 15, 23, 31],
            tokens_per_second=2, temporal_patch_size=2),
        rope_scaling=dict(type="mrope", mrope_section=[16, 24, 24]), vocab_size=vocabulary)
    os.makedirs(f"{HERE}/{name}", exist_ok=True)
    with open(f"{HERE}/{name}/config.json", "w") as file:
        file.write(json.dumps(config, indent=2) + "\n")

    d = kv * hidden // heads
    layer = 2 * hidden + (hidden + 1) * (hidden + 2 * d) + hidden * hidden + 3 * hidden * inner
    language = layer * layers + hidden + vocabulary * hidden * (1 if tied else 2)
    block = 2 * 1280 + 1281 * 3840 + 1281 * 1280 + 2 * 1281 * vision + (vision + 1) * 1280
    tower = 1280 * 1176 + 32 * block + 1280 + 5121 * 5120 + 5121 * hidden
    lora = 8 * layers * (2 * (hidden + hidden) + 2 * (hidden + d) + 3 * (hidden + inner))
    print(f"{name}: {language + tower:,} parameters, LoRA of rank 8 on the language model {lora:,}")
