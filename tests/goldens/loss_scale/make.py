"""What ms-swift divides answers into by its maps of loss_scale, and what the pieces weigh.

    python make.py CHECKOUT_OF_MS_SWIFT      (made with ms-swift 3602360a562313afbf2ef6065fdf61f271a2c5b9)

Runs the checkout's own functions, which need nothing but Python's re; the package itself is not imported.
"""
import ast
import json
import pathlib
import re
import sys
from typing import Dict, List, Optional, Tuple  # noqa: F401  read by what is run below

root = pathlib.Path(sys.argv[1]) / "swift"
names = {"_split_str_by_regex", "split_str_parts_by", "calculate_loss_scale"}
for file in (root / "template/utils.py", root / "loss_scale/utils.py"):
    tree = ast.parse(file.read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            exec(compile(ast.Module([node], []), str(file), "exec"))

maps = {file.stem: json.loads(file.read_text()) for file in sorted((root / "loss_scale/config").glob("*.json")) if file.stem != "agentflan"}
own = {
    "numbers": {"\\d+": [0.5], "[A-Z]{2,}": [3]},
    "words": {"a": [2, 1.5], "ab": [4, 0]},
    "mixed": {"x+": [9], "Answer:": [1, 2]},
    "empty": {"z*": [2]},
}
answers = [
    "Thought: look\nAction: fetch\nAction Input: {\"a\": 1}\nObservation: it is 3\nThought: done\nFinal Answer: 3",
    "plain text without any word",
    "Observation: only this",
    "<think>\n\n</think>\n\nYes.",
    "<think>\nwell\n</think>\n\nYes.",
    "</think>\n\nNo.",
    "<think>\n\n</think>\n</think>\n\nTwice.",
    "Let me see. <tool_call>\n{\"name\": \"f\"}\n</tool_call> then <tool_call>{}</tool_call>",
    "✿FUNCTION✿: f\n✿ARGS✿: {}\n✿RESULT✿: 4\n✿RETURN✿: four",
    "Next: caller. Action: go",
    "In 1999 NASA had 12 probes, and 7 more",
    "cab a abba",
    "Answer: xx Answer: x",
    "fizz buzz",
]
cases = {}
for name, map_of in {**maps, **own}.items():
    cases[name] = []
    for answer in answers:
        pieces, weights = calculate_loss_scale(None, answer, map_of)  # noqa: F821
        assert "".join(pieces) == answer
        cases[name].append([[len(p), w] for p, w in zip(pieces, weights) if p])  # of each piece its length and weight
pathlib.Path(__file__).with_name("cases.json").write_text(
    json.dumps({"maps": {**maps, **own}, "answers": answers, "cases": cases}, ensure_ascii=False, separators=(",", ":")) + "\n")
