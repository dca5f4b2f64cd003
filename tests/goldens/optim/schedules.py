"""Makes schedules.json: the learning rates of Transformers' own schedules, step by step. Needs torch and transformers (made with 2.14 and 5.12).
  schedules.py"""
import json, os
import torch
from transformers.optimization import get_scheduler

RATE, TOTAL, STEPS = 3e-4, 23, 26
CASES = [
    ("linear", 5, {}), ("cosine", 5, {}), ("cosine", 0, {"num_cycles": 1.5}),
    ("cosine_with_min_lr", 5, {"min_lr": 1e-5}),
    ("polynomial", 5, {}), ("polynomial", 0, {"power": 2.0, "lr_end": 1e-5}), ("polynomial", 7, {"power": 0.5}),
    ("inverse_sqrt", 5, {}), ("inverse_sqrt", 0, {}), ("inverse_sqrt", 5, {"timescale": 12}),
    ("cosine_with_restarts", 5, {}), ("cosine_with_restarts", 3, {"num_cycles": 3}),
    ("warmup_stable_decay", 5, {"num_decay_steps": 6}), ("warmup_stable_decay", 0, {"num_decay_steps": 4, "num_stable_steps": 9}),
    ("warmup_stable_decay", 5, {"num_decay_steps": 8, "min_lr_ratio": 0.1, "warmup_type": "cosine", "decay_type": "linear"}),
    ("warmup_stable_decay", 6, {"num_decay_steps": 10, "min_lr_ratio": 0.05, "warmup_type": "1-sqrt", "decay_type": "1-sqrt"}),
    ("warmup_stable_decay", 4, {"num_decay_steps": 12, "num_cycles": 1.5}),
    ("cosine_warmup_with_min_lr", 5, {"min_lr": 3e-5}), ("cosine_warmup_with_min_lr", 5, {"min_lr_rate": 0.2, "warmup_lr_rate": 0.3}),
    ("cosine_warmup_with_min_lr", 1, {"min_lr_rate": 0.1, "warmup_lr_rate": 0.3, "num_cycles": 1}), ("cosine_warmup_with_min_lr", 0, {"min_lr_rate": 0.1}),
]

made = []
for name, warmup, kwargs in CASES:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=TOTAL, scheduler_specific_kwargs=dict(kwargs))
    rates = []
    for _ in range(STEPS):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    made.append({"name": name, "warmup": warmup, "kwargs": kwargs, "rate": RATE, "total": TOTAL, "rates": rates})

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedules.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case) for case in made) + "\n]\n")
