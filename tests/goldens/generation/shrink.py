"""Makes greedy.json from the whole golden: of its 24 prompts nine, and of its batches the rows of those.
  shrink.py WHOLE

The whole one is what Transformers 5.12.1 (torch 2.14.1, CPU, fp32, SDPA) answers with the tiny Qwen2.5-VL of ../qwen2_5_vl_tiny: `model.generate` with
do_sample false on left-padded batches of the chat template's prompts. Rows of a plain batch have the ids that each prompt has alone (it was checked), so a
batch may lose rows. `early end` has a further end token, `min 10` min_new_tokens 10 beside it.
"""
import json, sys

KEPT = [0, 1, 3, 6, 7, 10, 12, 19, 21]
whole = json.load(open(sys.argv[1], encoding="utf-8"))
alone = [{key: row[key] for key in ("index", "images", "prompt_ids", "output_ids", "smallest_gap")} for row in whole["alone"] if row["index"] in KEPT]
batches = []
for batch in whole["batches"]:
    rows = [{key: row[key] for key in ("index", "output_ids", "equals_alone")} for row in batch["rows"] if row["index"] in KEPT]
    if batch["tag"] == "min 10" or all(row["equals_alone"] for row in batch["rows"]):
        batches.append(dict(tag=batch["tag"], options=batch["options"], rows=rows))
out = {key: whole[key] for key in ("transformers", "torch", "end_tokens", "further_end_token")}
json.dump(dict(out, alone=alone, batches=batches), open("greedy.json", "w", encoding="utf-8"), separators=(",", ":"))
