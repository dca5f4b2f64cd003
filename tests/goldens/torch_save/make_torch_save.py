"""Makes the files beside it with PyTorch itself (written with torch 2.6.0): python make_torch_save.py

state.pth    a state dict with every element type, views, shared storages, a parameter, a scalar and an empty tensor
module.pth   torch.nn.Module.state_dict(): an OrderedDict with _metadata
optimizer.pt AdamW's state dict after one step: nested containers, int keys, floats, bools, None
protocol4.pth the first again, pickled with protocol 4 (frames, memoize, stack_global)
legacy.pth   the format before PyTorch 1.6
unsafe.pth   mentions a name that is not a tensor's
expected.json names, types, shapes and values, as the test compares them
"""
import json
import os
import torch

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(0)


def path(name):
    return os.path.join(here, name)


def values(t):
    t = t.detach()
    if t.dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        return t.view(torch.uint8).flatten().tolist()
    return [float(v) for v in t.to(torch.float64).flatten().tolist()]


base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
shared = torch.tensor([1.5, -2.0, 3.25])
state = {
    "f32": base,
    "transposed": base.t(),
    "columns": base[:, 1:4],
    "rows": base[1:3],
    "every_other": base[::2, ::3],
    "expanded": torch.tensor([[7.0], [9.0]]).expand(2, 3),
    "tied_a": shared,
    "tied_b": shared,
    "f64": torch.tensor([0.1, -1e300], dtype=torch.float64),
    "f16": torch.tensor([1.5, -65504.0], dtype=torch.float16),
    "bf16": torch.tensor([1.5, 3e38], dtype=torch.bfloat16),
    "i64": torch.tensor([[1, -2], [2**53, 0]]),
    "i32": torch.tensor([1, -2**31], dtype=torch.int32),
    "i16": torch.tensor([1, -32768], dtype=torch.int16),
    "i8": torch.tensor([1, -128], dtype=torch.int8),
    "u8": torch.tensor([1, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "f8_e4m3": torch.tensor([1.0, -2.0, 448.0]).to(torch.float8_e4m3fn),
    "f8_e5m2": torch.tensor([1.0, -2.0, 3.0]).to(torch.float8_e5m2),
    "scalar": torch.tensor(42.0),
    "empty": torch.zeros(0, 3),
    "parameter": torch.nn.Parameter(torch.tensor([0.5, 0.25])),
    "größe.日本": torch.tensor([1.0]),
}
torch.save(state, path("state.pth"))
torch.save(state, path("protocol4.pth"), pickle_protocol=4)
module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
torch.save(module.state_dict(), path("module.pth"))
weights = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(3))]
optimizer = torch.optim.AdamW([{"params": weights[:1], "weight_decay": 0.1}, {"params": weights[1:]}], lr=1e-3)
sum((w * w).sum() for w in weights).backward()
optimizer.step()
torch.save(optimizer.state_dict(), path("optimizer.pt"))
torch.save({"a": torch.ones(2)}, path("legacy.pth"), _use_new_zipfile_serialization=False)
torch.save({"a": torch.ones(2), "when": __import__("datetime").date(2020, 1, 1)}, path("unsafe.pth"))


def describe(tensors):
    return {k: {"dtype": str(v.dtype), "shape": list(v.shape), "values": values(v)} for k, v in tensors.items()}


with open(path("expected.json"), "w") as f:
    json.dump({"torch": torch.__version__, "state": describe(state), "module": describe(module.state_dict())}, f, indent=1)
