"""Writes tokenizer/tokenizer.json without whitespace between its values; nothing else changes.
  compact.py [ORIGINAL]      the file of the repository; default: the one at hand, which stays as it is when it is compact"""
import json, os, sys

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer", "tokenizer.json")
with open(sys.argv[1] if len(sys.argv) > 1 else here, encoding="utf-8") as f:
    whole = json.load(f)
with open(here, "w", encoding="utf-8") as f:
    f.write(json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n")
