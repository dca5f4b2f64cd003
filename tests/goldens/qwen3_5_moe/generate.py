#!/usr/bin/env python3
"""Makes this folder: a tiny random Qwen3.5-MoE in fp32 with the hub's names, its forward, training and encoding goldens. See README.md.
  python generate.py                        everything
  python generate.py --weights MODEL_FILE   only the drawn checkpoint (model.safetensors)"""
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../qwen3_vl')
from common import main

HERE = os.path.dirname(os.path.abspath(__file__))
main(dict(
    family='qwen3_5_moe',
    full_lr=0.0001,
    seed=36001,
    data_seed=36,
    tie=False,
    factor=32,
    image_pixels=[4096, 65536],
    hub_size=[65536, 16777216],
    fps=3.0,
    frames=5,
    sizes={'one': (96, 64), 'two': [(64, 64), (64, 96)], 'resized': (138, 94), 'turns': (64, 64), 'video': (96, 64), 'mixed_video': (70, 50), 'train': [(64, 64), (96, 64), (64, 96), (70, 60), (128, 64), (61, 90)]},
    gdn_long=True,
    text={'hidden': 96, 'inter': 0, 'layers': 4, 'heads': 4, 'kv': 2, 'head': 64, 'partial': 0.25, 'vocab': 2048, 'mrope': [3, 3, 2], 'interval': 4, 'conv': 4, 'lk': 16, 'lkh': 2, 'lv': 24, 'lvh': 4, 'experts': 8, 'top': 3, 'moe_inter': 40, 'shared': 56},
    vision={'depth': 4, 'hidden': 64, 'inter': 112, 'heads': 4, 'side': 20},
    lf=[('qwen3_5', {}), ('qwen3_5_nothink', {})],
    lf_train='qwen3_5_nothink',
    long=12,
), HERE)
