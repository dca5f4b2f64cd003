#!/usr/bin/env python3
"""Makes this folder: a tiny random MiniCPM-V 4.6 in fp32 with the hub's names, its forward, training and encoding goldens. See README.md.
  python generate.py                        everything
  python generate.py --weights MODEL_FILE   only the drawn checkpoint (model.safetensors)"""
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../qwen3_vl')
from common import main

HERE = os.path.dirname(os.path.abspath(__file__))
main(dict(
    family='minicpmv4_6',
    seed=46001,
    data_seed=46,
    tie=True,
    factor=56,
    scale=112,
    slices=9,
    fps=3.0,
    frames=3,
    sizes={'one': (100, 80), 'two': [(112, 112), (70, 95)], 'resized': (200, 150), 'turns': (100, 60), 'video': (100, 80), 'mixed_video': (90, 60), 'train': [(100, 80), (112, 112), (200, 150), (60, 90), (130, 60)]},
    pixels=['one'],
    system='You are a helpful assistant.',
    gdn_long=False,
    text={'hidden': 96, 'inter': 160, 'layers': 4, 'heads': 4, 'kv': 2, 'head': 64, 'partial': 0.25, 'vocab': 2048, 'mrope': [3, 3, 2], 'interval': 4, 'conv': 4, 'lk': 16, 'lkh': 4, 'lv': 16, 'lvh': 4},
    vision={'depth': 5, 'hidden': 64, 'inter': 112, 'heads': 4, 'image_size': 280, 'insert': 1},
    lf=[('minicpm_v_4_6', {}), ('minicpm_v_4_6', {'mask_history': True})],
    lf_train='minicpm_v_4_6',
    full_grads='(encoder\\.layers\\.0\\.|encoder\\.layers\\.4\\.self_attn|vit_merger\\.(self_attn|linear_2|pre_norm)|merger\\.mlp\\.0\\.linear_2|layers\\.0\\.|layers\\.3\\.self_attn|position_embedding|patch_embedding|language_model\\.norm)',
), HERE)
