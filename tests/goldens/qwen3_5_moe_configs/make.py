"""Writes config.json of Qwen3.5-35B-A3B in the form of the hub's and prints the parameters that Transformers counts on the meta device. The text model's sizes are
the defaults of Transformers' Qwen3_5MoeTextConfig, which were made for this model; the tower's are those of Qwen3-VL-30B-A3B without features for layers.
Needs torch and Transformers 5.12. Printed by 5.12.1: 35107181936 parameters, 446571248 of them vision; LoRA r 8 on the 350 linears of the decoder 11238720."""
import json, os
import torch
from transformers import Qwen3_5MoeConfig, Qwen3_5MoeForConditionalGeneration

HERE = os.path.dirname(os.path.abspath(__file__))
name, hidden, layers = "35b-a3b", 2048, 40
config = dict(
    architectures=["Qwen3_5MoeForConditionalGeneration"], image_token_id=248056, model_type="qwen3_5_moe",
    text_config=dict(
        attention_bias=False, attention_dropout=0.0, attn_output_gate=True, dtype="bfloat16", eos_token_id=248044, full_attention_interval=4, head_dim=256,
        hidden_act="silu", hidden_size=hidden, initializer_range=0.02,
        layer_types=["full_attention" if (i + 1) % 4 == 0 else "linear_attention" for i in range(layers)], linear_conv_kernel_dim=4,
        linear_key_head_dim=128, linear_num_key_heads=16, linear_num_value_heads=32, linear_value_head_dim=128, mamba_ssm_dtype="float32",
        max_position_embeddings=262144, mlp_only_layers=[], model_type="qwen3_5_moe_text", moe_intermediate_size=512, mtp_num_hidden_layers=1,
        mtp_use_dedicated_embeddings=False, num_attention_heads=16, num_experts=256, num_experts_per_tok=8, num_hidden_layers=layers, num_key_value_heads=2,
        rms_norm_eps=1e-06, router_aux_loss_coef=0.001, shared_expert_intermediate_size=512, use_cache=True, vocab_size=248320,
        rope_parameters=dict(
            mrope_interleaved=True, mrope_section=[11, 11, 10], rope_type="default", rope_theta=10000000, partial_rotary_factor=0.25)),
    tie_word_embeddings=False, transformers_version="4.57.0.dev0", video_token_id=248057,
    vision_config=dict(
        deepstack_visual_indexes=[], depth=27, hidden_act="gelu_pytorch_tanh", hidden_size=1152, in_channels=3, initializer_range=0.02,
        intermediate_size=4304, model_type="qwen3_5_moe", num_heads=16, num_position_embeddings=2304, out_hidden_size=hidden, patch_size=16,
        spatial_merge_size=2, temporal_patch_size=2),
    vision_end_token_id=248054, vision_start_token_id=248053)
os.makedirs(f"{HERE}/{name}", exist_ok=True)
with open(f"{HERE}/{name}/config.json", "w") as f:
    f.write(json.dumps(config, indent=2) + "\n")
with torch.device("meta"):
    model = Qwen3_5MoeForConditionalGeneration(Qwen3_5MoeConfig.from_pretrained(f"{HERE}/{name}"))
print(name, sum(p.numel() for p in model.parameters()), sum(p.numel() for n, p in model.named_parameters() if "visual" in n))
adapted = [m for n, m in model.named_modules() if "visual" not in n and n != "lm_head" and isinstance(m, torch.nn.Linear)]
print("LoRA r 8 on every linear of the decoder:", len(adapted), 8 * sum(m.in_features + m.out_features for m in adapted))
