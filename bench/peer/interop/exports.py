"""Models that Fovea exported in Transformers, and what Transformers saves in Fovea.

    exports.py WORK write       loads each folder of WORK/exports, takes the loss, and quantises the small model into WORK/quantised
    exports.py WORK compare     prints the table; fails where a loss differs by more than 1e-4
"""
import sys

from common import *
from transformers import BitsAndBytesConfig

LIMIT = 1e-4


def read(folder, **options):
    net, info = model(folder, output_loading_info=True, **options)
    wrong = [f"{kind}: {sorted(info[kind])[:2]}" for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[kind]]
    linears = sum(type(m).__name__ == "Linear4bit" for m in net.modules())
    return net, dict(loss=loss(net, folder), linears=linears, wrong=wrong)


if sys.argv[2] == "write":
    results = {}
    for name in sorted(os.listdir(WORK + "/exports")):
        _, results["exports/" + name] = read(f"{WORK}/exports/{name}")
    # Transformers saves what it rounded itself, not what it loaded in 4 bits.
    for kind in ("nf4", "fp4"):
        for double in (True, False):
            config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=double, bnb_4bit_compute_dtype=torch.float32)
            folder = f"{WORK}/quantised/{kind}-{'double' if double else 'single'}"
            net, results["quantised/" + os.path.basename(folder)] = read(WORK + "/exports/merged-float32", quantization_config=config)
            net.save_pretrained(folder)
            load_proc().save_pretrained(folder)
    json.dump(results, open(WORK + "/losses/exports.json", "w"), indent=1)
else:
    bad = False
    print("| folder | linears in 4 bits | loss in Fovea | in Transformers less Fovea's |\n|---|---|---|---|")
    for name, r in json.load(open(WORK + "/losses/exports.json")).items():
        one = fovea(name.replace("/", "-"))
        print(f"| {name} | {r['linears']} | {one:.6f} | {r['loss'] - one:+.1e} |" + " ".join(r["wrong"][:3]))
        # Fovea computes over weights in bf16 in bf16, Transformers was asked for fp32.
        bad |= bool(r["wrong"]) or not abs(r["loss"] - one) <= (1e-3 if "bfloat16" in name else LIMIT)
    sys.exit(bad)
