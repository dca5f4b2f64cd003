"""The small model in Transformers and the loss of the samples, over which both sides are compared."""
import json
import os
import sys
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../tests/goldens/qwen2_5_vl_tiny/make"))
from ref_lib import D, M, encode, load_proc
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

torch.set_num_threads(2)
samples = json.load(open(D + "/tiny_shapes.json"))
WORK = sys.argv[1]


def model(folder=M, **options):
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, attn_implementation="sdpa", **{"dtype": torch.float32, **options})


def loss(net, tokenizer=None):
    """Mean over the trained tokens of all samples."""
    processor = load_proc()
    if tokenizer: processor.tokenizer = AutoTokenizer.from_pretrained(tokenizer)
    total, count = 0.0, 0
    net.eval()
    with torch.no_grad():
        for sample in samples:
            inputs = encode(processor, sample)[1]
            labels = inputs.pop("labels")[:, 1:].flatten()
            logits = net(**inputs).logits[0, :-1].float()
            total += torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum").item()
            count += (labels != -100).sum().item()
    return total / count


def fovea(name):
    return json.load(open(f"{WORK}/losses/{name}.json"))["eval_token_loss"]


def noted(action):
    """The result, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    return result, [str(w.message) for w in caught]
