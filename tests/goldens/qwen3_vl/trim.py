"""Takes the samples with videos out of what generate.py made, in place: they are skipped by name until videos are read. Run once after it; then shrink.py beside this folder."""
import glob, json, os, struct

HERE = os.path.dirname(os.path.abspath(__file__))
path = os.path.join(HERE, "forward.safetensors")
with open(path, "rb") as f:
    size = struct.unpack("<Q", f.read(8))[0]
    header = json.loads(f.read(size))
    data = f.read()
kept = {k: data[slice(*v["data_offsets"])] for k, v in header.items() if k != "__metadata__" and not k.startswith(("video.", "mixed."))}
at, fresh = 0, {}
for k, part in kept.items():
    fresh[k] = dict(dtype=header[k]["dtype"], shape=header[k]["shape"], data_offsets=[at, at + len(part)])
    at += len(part)
text = json.dumps(fresh).encode()
text += b" " * (-len(text) % 8)
with open(path, "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(kept.values()))
for picture in glob.glob(os.path.join(HERE, "data/images/video*")) + glob.glob(os.path.join(HERE, "data/images/mixed*")):
    os.remove(picture)
