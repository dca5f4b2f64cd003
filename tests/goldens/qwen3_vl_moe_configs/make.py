"""Writes config.json of the Qwen3-VL sizes with experts, as the hub publishes them, and prints the parameters that Transformers counts on the meta device.
Needs torch and Transformers 5.12. Printed by 5.12.1: 30b-a3b 31070754032 parameters, 538631408 of them vision; 235b-a22b 235670022896, 576388336."""
import json, os
import torch
from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

HERE = os.path.dirname(os.path.abspath(__file__))
for name, hidden, inner, expert, heads, layers in (("30b-a3b", 2048, 6144, 768, 32, 48), ("235b-a22b", 4096, 12288, 1536, 64, 94)):
    config = dict(
        architectures=["Qwen3VLMoeForConditionalGeneration"], image_token_id=151655, model_type="qwen3_vl_moe",
        text_config=dict(
            attention_bias=False, attention_dropout=0.0, bos_token_id=151643, decoder_sparse_step=1, dtype="bfloat16", eos_token_id=151645, head_dim=128,
            hidden_act="silu", hidden_size=hidden, initializer_range=0.02, intermediate_size=inner, max_position_embeddings=262144, mlp_only_layers=[],
            model_type="qwen3_vl_moe_text", moe_intermediate_size=expert, norm_topk_prob=True, num_attention_heads=heads, num_experts=128,
            num_experts_per_tok=8, num_hidden_layers=layers, num_key_value_heads=4, rms_norm_eps=1e-6,
            rope_scaling=dict(mrope_interleaved=True, mrope_section=[24, 20, 20], rope_type="default"), rope_theta=5000000, use_cache=True, vocab_size=151936),
        tie_word_embeddings=False, transformers_version="4.57.0.dev0", video_token_id=151656,
        vision_config=dict(
            deepstack_visual_indexes=[8, 16, 24], depth=27, hidden_act="gelu_pytorch_tanh", hidden_size=1152, in_channels=3, initializer_range=0.02,
            intermediate_size=4304, model_type="qwen3_vl_moe", num_heads=16, num_position_embeddings=2304, out_hidden_size=hidden, patch_size=16,
            spatial_merge_size=2, temporal_patch_size=2),
        vision_end_token_id=151653, vision_start_token_id=151652)
    os.makedirs(f"{HERE}/{name}", exist_ok=True)
    with open(f"{HERE}/{name}/config.json", "w") as f:
        f.write(json.dumps(config, indent=2) + "\n")
    with torch.device("meta"):
        model = Qwen3VLMoeForConditionalGeneration(Qwen3VLMoeConfig.from_pretrained(f"{HERE}/{name}"))
    print(name, sum(p.numel() for p in model.parameters()), sum(p.numel() for n, p in model.named_parameters() if "visual" in n))
