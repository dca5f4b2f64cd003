"""Makes sampling.json: what Transformers' own logits processors, in the order in which generate() puts them, leave of drawn logits.
Presence and frequency penalties, which Transformers lacks, are vLLM's formula, handed to generate() as a processor of the caller. Needs transformers.
  make.py"""
import json, os, random
from types import SimpleNamespace
import torch
from transformers import GenerationConfig
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
from transformers.generation.utils import GenerationMixin

VOCABULARY, STOPS = 40, [3, 17]


class Penalties(LogitsProcessor):
    def __init__(self, prompt, presence, frequency):
        self.prompt, self.presence, self.frequency = prompt, presence, frequency

    def __call__(self, input_ids, scores):
        counts = torch.bincount(input_ids[0, self.prompt:], minlength=scores.shape[-1]).to(scores.dtype)
        return scores - self.frequency * counts - self.presence * (counts > 0)


def processors(prompt, own, **settings):
    config = GenerationConfig(eos_token_id=STOPS, **settings)
    config._eos_token_tensor = torch.tensor(STOPS)
    holder = SimpleNamespace(config=SimpleNamespace(is_encoder_decoder=False), _merge_criteria_processor_list=GenerationMixin._merge_criteria_processor_list)
    holder._merge_criteria_processor_list = lambda a, b: GenerationMixin._merge_criteria_processor_list(holder, a, b)
    return GenerationMixin._get_logits_processor(
        holder, generation_config=config, input_ids_seq_length=prompt, logits_processor=LogitsProcessorList(own), device="cpu")


def numbers(scores):
    return [None if v == float("-inf") else v for v in scores[0].tolist()]


random.seed(5)
torch.manual_seed(5)
SETTINGS = [
    {}, {"top_k": 5}, {"top_p": 0.6}, {"min_p": 0.2}, {"temperature": 0.5}, {"temperature": 2.5, "top_k": 9},
    {"repetition_penalty": 1.3}, {"repetition_penalty": 0.7}, {"no_repeat_ngram_size": 1}, {"no_repeat_ngram_size": 2}, {"no_repeat_ngram_size": 3},
    {"min_new_tokens": 4}, {"min_new_tokens": 5},
    {"presence_penalty": 0.8}, {"frequency_penalty": 0.6}, {"presence_penalty": -1.0, "frequency_penalty": 1.5},
    {"top_k": 12, "top_p": 0.8, "min_p": 0.1, "temperature": 1.4},
    {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "min_new_tokens": 6, "presence_penalty": 0.5, "frequency_penalty": 0.3,
     "temperature": 0.8, "top_k": 20, "top_p": 0.9, "min_p": 0.02},
    {"repetition_penalty": 1.1, "temperature": 1.7, "top_p": 0.95},
    {"top_p": 0.3, "temperature": 3.0},
]
cases = []
for settings in SETTINGS:
    prompt = [random.randrange(12) for _ in range(14)]
    output = [random.randrange(12) for _ in range(4)]
    logits = (torch.randn(1, VOCABULARY) * 2.5).to(torch.float32)
    if settings.get("top_k") == 5:
        logits = (logits * 2).round() / 2  # ties, as 16 bits make them
    given = dict(settings)
    presence, frequency = given.pop("presence_penalty", 0.0), given.pop("frequency_penalty", 0.0)
    given.setdefault("top_k", 0)
    own = [Penalties(len(prompt), presence, frequency)] if presence or frequency else []
    ids = torch.tensor([prompt + output])
    plain = processors(len(prompt), own, do_sample=False, **{k: v for k, v in given.items() if k not in ("temperature", "top_k", "top_p", "min_p")})
    whole = processors(len(prompt), own, do_sample=True, **given)
    cases.append({
        "settings": {"top_k": 0, **settings}, "prompt": prompt, "output": output, "logits": logits[0].tolist(),
        "before_temperature": numbers(plain(ids, logits.clone())),
        "probabilities": torch.softmax(whole(ids, logits.clone()).double(), -1)[0].tolist(),
        "logprobs": torch.log_softmax(logits.double(), -1)[0].tolist(),
        "processors": [type(p).__name__ for p in whole],
    })
for case in cases:
    for key in ("logits", "before_temperature", "probabilities", "logprobs"):
        case[key] = [None if v is None else float(f"{v:.9g}") for v in case[key]]
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "sampling.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
print(cases[-3]["processors"], os.path.getsize(os.path.join(here, "sampling.json")))
