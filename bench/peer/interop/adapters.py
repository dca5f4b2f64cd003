"""Adapters of Fovea in PEFT, and PEFT's copies in Fovea.

    adapters.py WORK write      loads each folder of WORK/adapters, takes the loss, saves it again to WORK/peft
    adapters.py WORK compare    prints the table; fails where a loss differs by more than 1e-4
"""
import sys

from common import *
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

LIMIT = 1e-4
# PEFT draws other directions when it decomposes again; only the converted adapter can agree.
DRAWN = {"pissa-niter"}


def read(name):
    folder = f"{WORK}/adapters/{name}"
    tokenizer = folder if os.path.exists(folder + "/tokenizer.json") else None
    net, said = noted(lambda: PeftModel.from_pretrained(model(), folder))
    wrong = [w for w in said if "key" in w.lower()]
    stored, held = load_file(folder + "/adapter_model.safetensors"), get_peft_model_state_dict(net, save_embedding_layers=False)
    wrong += [f"lacks {k}" for k in held.keys() - stored.keys()] + [f"has {k} too" for k in stored.keys() - held.keys()]
    wrong += [f"{k} differs" for k in stored.keys() & held.keys() if not torch.equal(stored[k], held[k].float())]
    result = dict(loss=loss(net, tokenizer), tensors=len(stored), wrong=wrong)
    net.save_pretrained(f"{WORK}/peft/{name}")
    if tokenizer: AutoTokenizer.from_pretrained(tokenizer).save_pretrained(f"{WORK}/peft/{name}")
    return result


if sys.argv[2] == "write":
    results = {}
    for name in sorted(os.listdir(WORK + "/adapters")):
        try: results[name] = read(name)
        except Exception as e: results[name] = dict(loss=float("nan"), tensors=0, wrong=[f"{type(e).__name__}: {e}"])
        print(name, results[name], flush=True)
    results["base"] = dict(loss=loss(model()), tensors=0, wrong=[])
    json.dump(results, open(WORK + "/losses/adapters.json", "w"), indent=1)
else:
    bad = False
    print("| adapter | tensors | loss in Fovea | in PEFT less Fovea's | PEFT's copy in Fovea less PEFT's |\n|---|---|---|---|---|")
    for name, r in json.load(open(WORK + "/losses/adapters.json")).items():
        if name == "base": continue
        one = fovea(name)
        back = fovea("peft-" + name) if os.path.exists(f"{WORK}/losses/peft-{name}.json") else float("nan")
        print(f"| {name} | {r['tensors']} | {one:.6f} | {r['loss'] - one:+.1e} | {back - r['loss']:+.1e} |" + " ".join(r["wrong"][:3]))
        bad |= bool(r["wrong"]) or (name not in DRAWN and not (abs(r["loss"] - one) <= LIMIT and abs(back - r["loss"]) <= LIMIT))
    sys.exit(bad)
