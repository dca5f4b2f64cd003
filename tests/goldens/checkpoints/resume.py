"""Writes ..._resume.pth as MiniMind's scripts do, with PyTorch itself, out of a checkpoint of Fovea: resume.py CHECKPOINT ENCODER FILE
The keys and their order are those of the scripts' vlm_checkpoint; weights are numbered as AdamW numbers those that learn."""
import glob, json, struct, sys
import torch

checkpoint, encoder, target = sys.argv[1:]


def read(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    return {name: torch.frombuffer(bytearray(data[slice(*entry["data_offsets"])]), dtype=torch.float32).view(entry["shape"])
            for name, entry in header.items() if name != "__metadata__" and entry["dtype"] == "F32"}


weights = torch.load(glob.glob(f"{checkpoint}/*.pth")[0], weights_only=True)
state = json.load(open(f"{checkpoint}/fovea_state.json"))
optimizer = read(f"{checkpoint}/optimizer.safetensors")
model = {}
for name, value in weights.items():
    if name == "vision_proj.mlp.0.weight":
        model.update({f"vision_encoder.{part}": entry for part, entry in read(f"{encoder}/model.safetensors").items()})
    model[name] = value
learns = [name for name in model if f"{name}.exp_avg" in optimizer]
group = dict(
    lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, amsgrad=False, maximize=False, foreach=None, capturable=False, differentiable=False, fused=None,
    params=list(range(len(learns))))
states = {i: dict(step=optimizer[f"{name}.step"].reshape(()), exp_avg=optimizer[f"{name}.exp_avg"], exp_avg_sq=optimizer[f"{name}.exp_avg_sq"])
          for i, name in enumerate(learns)}
batches = 4  # of an epoch: 8 rows, two at a time
epoch, step = divmod(state["step"] - 1, batches)
torch.save(dict(
    model=model, optimizer=dict(state=states, param_groups=[group]), epoch=epoch, step=step + 1, world_size=1, wandb_id=None, scaler={}), target)
