"""What both jobs share: memory peaks, PEFT's arithmetic of LoRA, and the JSON lines."""
import json
import threading
import time

import torch


class Memory:
    """Peaks of this process: resident as the kernel keeps it, anonymous by looking every 20 ms."""

    def __init__(self):
        self.anonymous = 0
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            self.anonymous = max(self.anonymous, self.read("RssAnon:"))
            time.sleep(0.02)

    @staticmethod
    def read(key):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024

    def peaks(self):
        return dict(peak_rss_mib=round(self.read("VmHWM:"), 1), peak_anon_mib=round(self.anonymous, 1))


class Adapted(torch.nn.Module):
    """A frozen linear and its low-rank update with fp32 weights."""

    def __init__(self, base, rank=8, alpha=16):
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.lora_A = torch.nn.Linear(base.in_features, rank, bias=False, dtype=torch.float32)
        self.lora_B = torch.nn.Linear(rank, base.out_features, bias=False, dtype=torch.float32)
        torch.nn.init.kaiming_uniform_(self.lora_A.weight, a=5 ** 0.5)
        torch.nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        y = self.base(x)
        return (y + self.lora_B(self.lora_A(x.to(self.lora_A.weight.dtype))) * self.scale).to(y.dtype)


def say(values):
    print(json.dumps(values), flush=True)
