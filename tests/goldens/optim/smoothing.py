"""Makes smoothing.json: Transformers' LabelSmoother over drawn hidden states and a drawn head, with its gradients. Needs torch and transformers (made with
2.14 and 5.12).
  smoothing.py"""
import json, os
import torch
from transformers.trainer_pt_utils import LabelSmoother

torch.manual_seed(3)
ROWS, WIDTH, VOCABULARY, PART = 9, 8, 31, 0.1
hidden = torch.randn(ROWS, WIDTH, dtype=torch.float32).requires_grad_()
head = torch.randn(VOCABULARY, WIDTH, dtype=torch.float32).requires_grad_()
labels = torch.randint(0, VOCABULARY, (ROWS,))
labels[4] = labels[1]
loss = LabelSmoother(epsilon=PART)({"logits": (hidden.double() @ head.double().T)[None]}, labels[None])
loss.backward()
made = {"part": PART, "rows": ROWS, "width": WIDTH, "vocabulary": VOCABULARY, "labels": labels.tolist(), "loss": loss.item()}
made |= {name: [float(f"{v:.9g}") for v in tensor.flatten().tolist()]
         for name, tensor in (("hidden", hidden), ("head", head), ("hidden_gradient", hidden.grad), ("head_gradient", head.grad))}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "smoothing.json"), "w") as file:
    json.dump(made, file)
    file.write("\n")
