"""Reads written.pth, which PickleWriter wrote, with PyTorch itself and checks every value: python check_written.py
Run with torch 2.6.0 when written.pth was made; run it again whenever the writer's bytes change.
"""
import os
import torch

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "written.pth")
for mmap in (False, True):
    root = torch.load(path, weights_only=True, mmap=mmap)
    assert list(root) == ["tensors", "numbers", "state", "nothing"], list(root)
    assert root["numbers"] == [1, -1, 5_000_000_000, -(2**63), 0.5, True, "größe", None], root["numbers"]
    assert root["state"] == {0: {"betas": (0.9, 0.999), "lr": 1e-3}} and root["nothing"] is None
    t = root["tensors"]
    expected = {
        "U8": torch.tensor(1, dtype=torch.uint8), "I8": torch.tensor(1, dtype=torch.int8), "I16": torch.tensor(1, dtype=torch.int16),
        "I32": torch.tensor(1, dtype=torch.int32), "I64": torch.tensor(1), "Bool": torch.tensor(True),
        "F16": torch.tensor([1.5], dtype=torch.float16), "BF16": torch.tensor([1.5], dtype=torch.bfloat16),
        "F32": torch.tensor([[1.0, 2, 3], [4, 5, 6]]), "F64": torch.tensor([0.1], dtype=torch.float64),
        "F8E4M3": torch.tensor([1.0]).to(torch.float8_e4m3fn), "F8E5M2": torch.tensor([0.5]).to(torch.float8_e5m2),
        "again": torch.tensor([[1.0, 2, 3], [4, 5, 6]]), "empty": torch.zeros(0, 3),
    }
    assert set(t) == set(expected), list(t)
    for name, e in expected.items():
        a = t[name]
        assert a.dtype == e.dtype and a.shape == e.shape, (name, a.dtype, a.shape)
        if e.dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
            a, e = a.view(torch.uint8), e.view(torch.uint8)
        assert torch.equal(a, e), (name, a, e)
    assert t["again"].data_ptr() == t["F32"].data_ptr()
print("ok: torch", torch.__version__)
