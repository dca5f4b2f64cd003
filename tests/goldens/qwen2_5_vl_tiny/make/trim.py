"""Keeps of the reference's tensors what the tests compare with: trim.py SOURCE_FOLDER TARGET_FOLDER; ../../shrink.py comes next."""
import json
import struct
import sys

KEEP = {
    "forward.safetensors": lambda k: k.startswith("s0.") and not k.endswith("_pil") or k in ("s5.logits", "s9.logits", "s9.pixel_values", "s9.image_grid_thw"),
    "train_tokens.safetensors": lambda k: k.startswith("grad_after_clip.") or k in ("final_logits.s0", "final_logits.s5"),
}
source, target = sys.argv[1:]
for name, wanted in KEEP.items():
    data = open(f"{source}/{name}", "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    kept, body, at = {}, [], 0
    for key, entry in header.items():
        if key != "__metadata__" and wanted(key):
            begin, end = entry["data_offsets"]
            body.append(data[8 + length + begin : 8 + length + end])
            kept[key] = {**entry, "data_offsets": [at, at + end - begin]}
            at += end - begin
    text = json.dumps(kept).encode()
    text += b" " * (-len(text) % 8)
    open(f"{target}/{name}", "wb").write(struct.pack("<Q", len(text)) + text + b"".join(body))
