"""Keeps of what generate.py wrote (folder FROM) the cases that the tests use.   python thin.py FROM"""
import json, os, sys
from safetensors.torch import load_file, save_file

KEPT = """probe_64 odd_33x65_fp32 tail_of_one_5x13_fp32 one_value shorter_than_a_block_7x3 zero_blocks_16x64_fp32 all_zero_4x64_fp32 signed_zero_and_tiny_2x64
bf16_48x80 fp16_48x80 fp16_extremes_4x96 bf16_many_blocks_130x200 thresholds_1x64 thresholds_scaled_1x64 three_dims_3x5x32 blocksize_128_20x50 fp4_16x64""".split()
SUFFIXES = "input single.packed single.absmax single.dequantized double.absmax double.nested_absmax double.absmax_restored double.dequantized".split()
here = os.path.dirname(os.path.abspath(__file__))
source = load_file(os.path.join(sys.argv[1], "tensors.safetensors"))
# The large one is there for its two nested blocks of scales.
tensors = {f"{case}.{suffix}": source[f"{case}.{suffix}"] for case in KEPT for suffix in SUFFIXES if not ("many_blocks" in case and "dequantized" in suffix)}
tensors.update({name: source[name] for name in ("nf4_code", "fp4_code", "dynamic_map_256")})
save_file(tensors, os.path.join(here, "tensors.safetensors"))
described = json.load(open(os.path.join(sys.argv[1], "tensors.json")))
json.dump({case: described[case] for case in KEPT}, open(os.path.join(here, "tensors.json"), "w"), indent=1)
