"""Keeps what the tokenizer tests need of a reference run's data/encoded.json: raw messages and their ids.
usage: extract_encoded.py data/encoded.json > encoded.jsonl"""
import json, sys
for row in json.load(open(sys.argv[1]))["rows"]:
    if "input_ids" in row:
        print(json.dumps(dict(raw_msg=row["raw_msg"], input_ids=row["input_ids"])))
