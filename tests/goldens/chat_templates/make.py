"""What Transformers makes of chat templates: cases.json beside this file. Run it with bench/peer/python.

- fuzz: expressions and small templates by chance (fuzz.py) with what jinja2 writes in the environment of Transformers; null where it fails.
- renders: whole templates (those of the goldens beside this folder, and templates/ written for this test) on conversations, null where one is refused.
- masks: ids and assistant masks of apply_chat_template(return_assistant_tokens_mask=True) for a template that marks what is generated.
- tools: rows with tools in OpenAI's form and in LLaMA-Factory's, with what apply_chat_template(messages, tools=tools) of a tokenizer writes of them.

With a folder as argument it writes cases of every *.jinja file in it to FOLDER/cases.json instead, for templates that are not part of this checkout.
"""
import glob, json, os, sys
from datetime import datetime

import transformers.utils.chat_template_utils as utils
from transformers import PreTrainedTokenizerFast

import fuzz

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDENS = os.path.dirname(HERE)
NOW = datetime(2026, 1, 5, 14, 3, 9)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "The \"weather\" – now", "parameters": {"type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer", "enum": [1, 2]}}, "required": ["place"]}}}]


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def parts(*items):
    return [{"type": "image"} if item is None else {"type": "text", "text": item} for item in items]


CONVERSATIONS = {
    "one": [message("user", "Hi")],
    "system": [message("system", "Be brief. "), message("user", " 1+1? "), message("assistant", "<think>\nsum\n</think>\n\n2"), message("user", "Sure?\n")],
    "two": [message("user", "A é 你 😀"), message("assistant", "B"), message("user", "C"), message("assistant", "<think>hm</think>D")],
    "tool": [message("user", "Weather?"), message("assistant", "", tool_calls=[{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"place": "Köln", "days": 2}}}]), message("tool", "12 °C"), message("assistant", "12 °C.", reasoning_content="easy")],
    "parts": [message("user", parts(None, "What?")), message("assistant", parts("A cat.")), message("user", parts("And ", None, " this?"))],
    "bad": [message("assistant", "x"), message("assistant", "y")],
}
SETTINGS = [{"add_generation_prompt": True, "enable_thinking": False}, {"add_generation_prompt": False}, {"add_generation_prompt": True, "tools": TOOLS}]


def render(template, variables):
    try:
        environment = utils._compile_jinja_template(template).environment
        environment.globals["strftime_now"] = lambda format: NOW.strftime(format)
        return environment.from_string(template).render(**json.loads(json.dumps(variables)))
    except Exception:
        return None


def templates():
    found = {}
    for path in sorted(glob.glob(f"{HERE}/templates/*.jinja")):
        found[os.path.basename(path)] = open(path, encoding="utf-8").read()
    for path in ("qwen2_5_vl_tiny/model/chat_template.json", "minicpm_v26/model/tokenizer_config.json", "minimind_a/tokenizer/tokenizer_config.json", "minimind_c/tokenizer/tokenizer_config.json"):
        found[path] = json.load(open(f"{GOLDENS}/{path}", encoding="utf-8"))["chat_template"]
    return found


def renders(found):
    return [[name, conversation, i, render(text, {"messages": messages, **TOKENS, **settings})] for name, text in found.items()
            for conversation, messages in CONVERSATIONS.items() for i, settings in enumerate(SETTINGS)]


def fuzzed(seed, count):
    cases = []
    for template in fuzz.templates(seed, count):
        text = render(template, fuzz.VARIABLES)
        # Addresses, and what only Python can write.
        if text is None or not (len(text) > 300 or any(sign in text for sign in ("<generator", " object at 0x", "<list_", "<range_", "<built-in", "<bound", "<Macro", "<class", "LoopContext", "Markup("))):
            if len(template) <= 260:
                cases.append([template, text])
    return cases


def masks():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{GOLDENS}/qwen3_vl/model/tokenizer.json")
    template = open(f"{HERE}/templates/marks.jinja", encoding="utf-8").read()
    rows = [CONVERSATIONS["two"], [message("system", "S"), message("user", "Q"), message("assistant", "A")], [message("user", "Q " * 5), message("assistant", "Why\nnot? é"), message("user", "Q2"), message("assistant", "<think>\nx\n</think>\n\ny")]]
    out = []
    for row in rows:
        encoded = tokenizer.apply_chat_template(row, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
        out.append({"messages": row, "ids": list(encoded["input_ids"]), "mask": list(encoded["assistant_masks"])})
    return out


def call(name, arguments, id=None):
    return {**({"id": id} if id else {}), "type": "function", "function": {"name": name, "arguments": arguments}}


def turn(speaker, text):
    return {"from": speaker, "value": text}


def function(*calls):
    return turn("function_call", json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False))


# The same conversations as OpenAI's interface and as LLaMA-Factory's sharegpt rows write them.
KOELN = {"place": "Köln \"am\" Rhein", "days": 2, "exact": 1.5, "where": {"lat": 50, "near": ["a", None, True]}}
FUNCTIONS = [tool["function"] for tool in TOOLS]
WITH_TOOLS = {
    "one call": [
        {"messages": [message("system", "Be brief."), message("user", "Weather?"), message("assistant", "", tool_calls=[call("weather", KOELN)]), message("tool", "12 °C"), message("assistant", "It has 12 °C.")], "tools": TOOLS},
        {"conversations": [turn("system", "Be brief."), turn("human", "Weather?"), function({"name": "weather", "arguments": KOELN}), turn("observation", "12 °C"), turn("gpt", "It has 12 °C.")], "tools": json.dumps(FUNCTIONS, ensure_ascii=False)}],
    "two calls": [
        {"messages": [message("user", "Weather?"), message("assistant", None, tool_calls=[call("weather", json.dumps({"place": "A"}), "c1"), call("weather", "{}", "c2")]), message("tool", "1", tool_call_id="c1"), message("tool", "2", tool_call_id="c2"), message("assistant", "A 1, B 2.")], "tools": TOOLS},
        None],
    "a thought": [
        {"messages": [message("user", "Weather?"), message("assistant", "<think>\nHm.\n</think>\n\n", tool_calls=[call("weather", {"place": "A"}), call("weather", {"place": "B"})]), message("tool", "{\"t\": 1}"), message("assistant", "<think>\nSo.\n</think>\n\n1.")], "tools": TOOLS},
        {"conversations": [turn("human", "Weather?"), turn("function_call", "<think>\nHm.\n</think>\n\n" + json.dumps([{"name": "weather", "arguments": {"place": "A"}}, {"name": "weather", "arguments": {"place": "B"}}])), turn("observation", "{\"t\": 1}"), turn("gpt", "<think>\nSo.\n</think>\n\n1.")], "tools": FUNCTIONS}],
    "a call at the end": [
        {"messages": [message("user", "Hi"), message("assistant", "Hello."), message("user", "Weather?"), message("assistant", "Wait.", tool_calls=[call("weather", {"place": "Z"})])], "tools": TOOLS},
        None],
}


def with_tools(found):
    """What Transformers writes; arguments are objects there, as it wants them."""
    tokenizer, out = PreTrainedTokenizerFast(tokenizer_file=f"{GOLDENS}/qwen3_vl/model/tokenizer.json"), []
    for name, (openai, sharegpt) in WITH_TOOLS.items():
        messages = json.loads(json.dumps(openai["messages"]))
        for m in messages:
            m["content"] = m["content"] or ""
            for c in m.get("tool_calls", []):
                if isinstance(c["function"]["arguments"], str):
                    c["function"]["arguments"] = json.loads(c["function"]["arguments"])
        texts = {template: tokenizer.apply_chat_template(messages, tools=openai["tools"], chat_template=found[template], tokenize=False, **TOKENS) for template in ("tools.jinja", "thinking.jinja", "minimind_c/tokenizer/tokenizer_config.json")}
        out.append({"name": name, "openai": openai, "sharegpt": sharegpt, "texts": texts})
    return out


def main():
    if len(sys.argv) > 1:
        found = {os.path.basename(path): open(path, encoding="utf-8").read() for path in sorted(glob.glob(f"{sys.argv[1]}/*.jinja"))}
        cases = {"variables": fuzz.VARIABLES, "fuzz": [], "templates": found, "conversations": CONVERSATIONS, "settings": SETTINGS, "tokens": TOKENS, "renders": renders(found)}
        json.dump(cases, open(f"{sys.argv[1]}/cases.json", "w", encoding="utf-8"), ensure_ascii=False)
        return
    found = templates()
    cases = {"variables": fuzz.VARIABLES, "fuzz": fuzzed(18, 1350), "templates": list(found), "conversations": CONVERSATIONS, "settings": SETTINGS, "tokens": TOKENS, "renders": renders(found), "masks": masks(), "tools": with_tools(found)}
    with open(f"{HERE}/cases.json", "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(key)}: " + ("[\n" + ",\n".join(json.dumps(v, ensure_ascii=False, separators=(',', ':')) for v in value) + "\n]" if isinstance(value, list) else json.dumps(value, ensure_ascii=False)) for key, value in cases.items()) + "\n}\n")


main()
