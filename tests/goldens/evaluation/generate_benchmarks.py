"""Scores the cases of benchmark_cases.py by the original programs: benchmarks.json and instructions.json beside this file.

    python3 generate_benchmarks.py --vlmevalkit FOLDER --lmms-eval FOLDER

FOLDER: checkouts of open-compass/VLMEvalKit @e8e78f0 and EvolvingLMMs-Lab/lmms-eval @75571cf. Needs pandas, nltk (3.8) and langdetect (1.0.9). The originals'
functions run as they are; only their imports are replaced, and reading and writing of files by handing data on.
"""
import argparse
import ast
import importlib
import json
import logging
import os
import string
import sys
import types

import benchmark_cases as cases

a = argparse.ArgumentParser()
a.add_argument("--vlmevalkit")
a.add_argument("--lmms-eval")
a = a.parse_args()
here = os.path.dirname(os.path.abspath(__file__))


def dump(name, value):
    with open(os.path.join(here, name), "w") as file:
        json.dump(value, file, indent=1, ensure_ascii=True)


def module(name, **members):
    m = types.ModuleType(name)
    m.__dict__.update(members)
    m.__path__ = []
    sys.modules[name] = m
    return m


def taken(path, *names, **given):
    """Functions and classes of a source file, without its imports and everything else in it."""
    tree = ast.parse(open(path).read())
    tree.body = [n for n in tree.body if getattr(n, "name", None) in names or (isinstance(n, ast.Assign) and getattr(n.targets[0], "id", None) in names)]
    scope = dict(given)
    exec(compile(tree, path, "exec"), scope)
    return types.SimpleNamespace(**{n: scope[n] for n in names})


# ---------------------------------------------------------------- IFEval
def instructions():
    import langdetect
    import nltk
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktSentenceTokenizer
    nltk.download = lambda *x, **k: False
    langdetect.DetectorFactory.seed = 0
    folder = os.path.join(a.lmms_eval, "lmms_eval")
    module("immutabledict", immutabledict=dict)
    module("lmms_eval").__path__ = [folder]
    module("lmms_eval.utils", eval_logger=logging.getLogger("x"))
    module("lmms_eval.tasks").__path__ = [os.path.join(folder, "tasks")]
    logging.disable(logging.CRITICAL)
    util = importlib.import_module("lmms_eval.tasks.ifeval.instructions_util")
    scoring = importlib.import_module("lmms_eval.tasks.ifeval.utils")
    punkt = PunktSentenceTokenizer()  # without the trained model, which cannot be redistributed here
    words = lambda text: [w for s in punkt.tokenize(text) for w in NLTKWordTokenizer().tokenize(s)]
    util._get_sentence_tokenizer = lambda: punkt
    util.nltk.word_tokenize = words

    def language(text):
        try:
            return langdetect.detect(text)
        except langdetect.LangDetectException:
            return None

    rows = []
    for ids, arguments, response in cases.IFEVAL:
        row = scoring.InputExample(key=0, instruction_id_list=ids, prompt="", kwargs=arguments)
        strict = scoring.test_instruction_following_strict(row, response).follow_instruction_list
        loose = scoring.test_instruction_following_loose(row, response).follow_instruction_list
        rows.append(dict(instruction_id_list=ids, kwargs=arguments, response=response, strict=strict, loose=loose))
    dump("instructions.json", dict(
        rows=rows,
        languages=[dict(text=t, language=language(t)) for t in cases.LANGUAGES],
        sentences=[dict(text=t, sentences=punkt.tokenize(t)) for t in cases.SENTENCES],
        words=[dict(text=t, words=words(t)) for t in cases.WORDS + cases.SENTENCES]))


if a.lmms_eval:
    instructions()
