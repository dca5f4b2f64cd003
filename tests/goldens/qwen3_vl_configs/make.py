"""Writes config.json of the dense Qwen3-VL sizes and prints parameter counts worked out from the shapes alone. 4B and 8B are the numbers of published files;
2B is checked against its published parameter count; 32B is written from memory of its page, so its counts are only as good as these shapes."""
import json, os

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [  # name, hidden, intermediate, layers, heads, kv heads, tied, vision depth, vision hidden, vision intermediate, deepstack
    ("2b", 2048, 6144, 28, 16, 8, True, 24, 1024, 4096, [5, 11, 17]),
    ("4b", 2560, 9728, 36, 32, 8, True, 24, 1024, 4096, [5, 11, 17]),
    ("8b", 4096, 12288, 36, 32, 8, False, 27, 1152, 4304, [8, 16, 24]),
    ("32b", 5120, 25600, 64, 64, 8, False, 27, 1152, 4304, [8, 16, 24]),
]
VOCABULARY, HEAD = 151936, 128
for name, hidden, inner, layers, heads, kv, tied, depth, width, vision, deepstack in SIZES:
    config = dict(
        architectures=["Qwen3VLForConditionalGeneration"], image_token_id=151655, model_type="qwen3_vl",
        text_config=dict(
            attention_bias=False, attention_dropout=0.0, bos_token_id=151643, dtype="bfloat16", eos_token_id=151645, head_dim=HEAD, hidden_act="silu",
            hidden_size=hidden, initializer_range=0.02, intermediate_size=inner, max_position_embeddings=262144, model_type="qwen3_vl_text",
            num_attention_heads=heads, num_hidden_layers=layers, num_key_value_heads=kv, rms_norm_eps=1e-06,
            rope_scaling=dict(mrope_interleaved=True, mrope_section=[24, 20, 20], rope_type="default"), rope_theta=5000000, use_cache=True,
            vocab_size=VOCABULARY, **(dict(tie_word_embeddings=True) if tied else {})),
        tie_word_embeddings=tied, transformers_version="4.57.0.dev0", video_token_id=151656,
        vision_config=dict(
            deepstack_visual_indexes=deepstack, depth=depth, hidden_act="gelu_pytorch_tanh", hidden_size=width, in_channels=3, initializer_range=0.02,
            intermediate_size=vision, model_type="qwen3_vl", num_heads=16, num_position_embeddings=2304, out_hidden_size=hidden, patch_size=16,
            spatial_merge_size=2, temporal_patch_size=2),
        vision_end_token_id=151653, vision_start_token_id=151652)
    os.makedirs(f"{HERE}/{name}", exist_ok=True)
    with open(f"{HERE}/{name}/config.json", "w") as file:
        file.write(json.dumps(config, indent=2) + "\n")

    q, k = heads * HEAD, kv * HEAD
    layer = 2 * hidden + 2 * HEAD + hidden * (q + 2 * k) + q * hidden + 3 * hidden * inner
    language = layer * layers + hidden + VOCABULARY * hidden * (1 if tied else 2)
    block = 4 * width + (width + 1) * 3 * width + (width + 1) * width + (width + 1) * vision + (vision + 1) * width
    merged = 4 * width
    merger = (merged + 1) * merged + (merged + 1) * hidden
    tower = (3 * 2 * 16 * 16 + 1) * width + 2304 * width + depth * block + (2 * width + merger) + len(deepstack) * (2 * merged + merger)
    lora = 8 * layers * (hidden + q + 2 * (hidden + k) + q + hidden + 3 * (hidden + inner))
    print(f"{name}: {language + tower:,} parameters, {tower:,} of them vision; LoRA r 8 on every linear of the decoder: {lora:,}")
