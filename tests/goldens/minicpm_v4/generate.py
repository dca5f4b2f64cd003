"""The language model of MiniCPM-V-4 as it is described elsewhere (Llama with longrope), from Transformers' own LlamaForCausalLM on random weights, fp32:
final hidden states of a short and of a long sequence. V-4's own code was not found; its vision side is that of V-2.6.
Usage: python generate.py FOLDER"""
import json, math, sys
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

out = sys.argv[1]
torch.manual_seed(4)
scaling = dict(rope_type="longrope", long_factor=[round(1 + 0.11 * i ** 1.35, 4) for i in range(32)],
               short_factor=[round(1 + 0.013 * i, 4) for i in range(32)], original_max_position_embeddings=128)
sizes = dict(hidden_size=128, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=64, vocab_size=64,
             rms_norm_eps=1e-6, max_position_embeddings=4096, rope_theta=10000.0, tie_word_embeddings=False, attention_bias=False, mlp_bias=False)
llama = LlamaConfig(**sizes, rope_scaling=dict(scaling, rope_theta=10000.0))
llama._attn_implementation = "eager"
model = LlamaForCausalLM(llama).float().eval()
with torch.no_grad():
    for name, p in model.named_parameters():
        p.copy_(torch.randn_like(p) * 0.2 + 1 if p.dim() == 1 else torch.randn_like(p) * (1.5 if "_proj" in name else 1.0) / math.sqrt(p.shape[1]))
save_file({f"llm.{k}": v.clone() for k, v in model.state_dict().items()}, f"{out}/model.safetensors")
results = {}
with torch.no_grad():
    for length in (40, 200):
        ids = torch.randint(0, 64, (1, length))
        results[f"ids.{length}"] = ids[0]
        results[f"hidden.{length}"] = model.model(ids).last_hidden_state[0]
save_file(results, f"{out}/results.safetensors")
json.dump(dict(sizes, model_type="minicpmv", version=4.0, query_num=16, use_image_id=True, rope_scaling=scaling,
               slice_config=dict(max_slice_nums=9, patch_size=14, scale_resolution=112),
               vision_config=dict(model_type="siglip", hidden_size=64, image_size=980, intermediate_size=112, num_attention_heads=4, num_hidden_layers=3, patch_size=14)),
          open(f"{out}/config.json", "w"), indent=1)
json.dump(model.model.rotary_emb.attention_scaling, open(f"{out}/attention_scaling.json", "w"))
