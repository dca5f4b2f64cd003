"""Writes config.json of the dense Qwen3.5 sizes and prints parameter counts worked out from the shapes alone. The language models of 0.8B, 4B, 9B and 27B are
the numbers of published files; 2B and all vision towers are written from memory of theirs, so their counts are only as good as these shapes."""
import json, os

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [  # name, hidden, intermediate, layers, heads, kv heads, value heads of the recurrence, tied, vision depth, hidden, intermediate, heads
    ("0.8b", 1024, 3584, 24, 8, 2, 16, True, 12, 768, 3072, 12),
    ("2b", 2048, 6144, 24, 8, 2, 16, True, 24, 1024, 4096, 16),
    ("4b", 2560, 9216, 32, 16, 4, 32, True, 24, 1024, 4096, 16),
    ("9b", 4096, 12288, 32, 16, 4, 32, False, 27, 1152, 4304, 16),
    ("27b", 5120, 17408, 64, 24, 4, 48, False, 27, 1152, 4304, 16),
]
VOCABULARY, HEAD, KEY_HEADS, SIZE, KERNEL = 248320, 256, 16, 128, 4
for name, hidden, inner, layers, heads, kv, value_heads, tied, depth, width, vision, vision_heads in SIZES:
    kinds = ["full_attention" if (i + 1) % 4 == 0 else "linear_attention" for i in range(layers)]
    config = dict(
        architectures=["Qwen3_5ForConditionalGeneration"], image_token_id=248056, model_type="qwen3_5",
        text_config=dict(
            attention_bias=False, attention_dropout=0.0, attn_output_gate=True, dtype="bfloat16", eos_token_id=248044, full_attention_interval=4,
            head_dim=HEAD, hidden_act="silu", hidden_size=hidden, initializer_range=0.02, intermediate_size=inner, layer_types=kinds,
            linear_conv_kernel_dim=KERNEL, linear_key_head_dim=SIZE, linear_num_key_heads=KEY_HEADS, linear_num_value_heads=value_heads,
            linear_value_head_dim=SIZE, max_position_embeddings=262144, mlp_only_layers=[], model_type="qwen3_5_text", mtp_num_hidden_layers=1,
            mtp_use_dedicated_embeddings=False, num_attention_heads=heads, num_hidden_layers=layers, num_key_value_heads=kv, rms_norm_eps=1e-06,
            use_cache=True, vocab_size=VOCABULARY, mamba_ssm_dtype="float32", **(dict(tie_word_embeddings=True) if tied else {}),
            rope_parameters=dict(
                mrope_interleaved=True, mrope_section=[11, 11, 10], rope_type="default", rope_theta=10000000, partial_rotary_factor=0.25)),
        tie_word_embeddings=tied, transformers_version="4.57.0.dev0", video_token_id=248057,
        vision_config=dict(
            deepstack_visual_indexes=[], depth=depth, hidden_act="gelu_pytorch_tanh", hidden_size=width, in_channels=3, initializer_range=0.02,
            intermediate_size=vision, model_type="qwen3_5", num_heads=vision_heads, num_position_embeddings=2304, out_hidden_size=hidden, patch_size=16,
            spatial_merge_size=2, temporal_patch_size=2),
        vision_end_token_id=248054, vision_start_token_id=248053)
    os.makedirs(f"{HERE}/{name}", exist_ok=True)
    with open(f"{HERE}/{name}/config.json", "w") as file:
        file.write(json.dumps(config, indent=2) + "\n")

    q, k = heads * HEAD, kv * HEAD
    keys, values = KEY_HEADS * SIZE, value_heads * SIZE
    columns = 2 * keys + values
    mlp = 3 * hidden * inner + 2 * hidden
    attention = hidden * (2 * q + 2 * k) + q * hidden + 2 * HEAD
    delta = hidden * (columns + values + 2 * value_heads) + columns * KERNEL + 2 * value_heads + SIZE + values * hidden
    attending = layers // 4
    language = layers * mlp + attending * attention + (layers - attending) * delta + hidden + VOCABULARY * hidden * (1 if tied else 2)
    block = 4 * width + (width + 1) * 3 * width + (width + 1) * width + (width + 1) * vision + (vision + 1) * width
    merged = 4 * width
    tower = (3 * 2 * 16 * 16 + 1) * width + 2304 * width + depth * block + 2 * width + (merged + 1) * merged + (merged + 1) * hidden
    lora = 8 * (layers * 3 * (hidden + inner) + attending * (hidden + 2 * q + 2 * (hidden + k) + q + hidden)
                + (layers - attending) * (hidden + columns + hidden + values + 2 * (hidden + value_heads) + values + hidden))
    print(f"{name}: {language + tower:,} parameters, {tower:,} of them vision; LoRA r 8 on every linear of the decoder: {lora:,}")
