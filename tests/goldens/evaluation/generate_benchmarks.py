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


# ---------------------------------------------------------------- quick benchmarks
def quick():
    import base64
    import contextlib
    import io
    import re
    import struct
    import warnings
    import zlib
    from collections import defaultdict

    import numpy as np
    import pandas as pd
    warnings.filterwarnings("ignore")
    root = os.path.join(a.vlmevalkit, "vlmeval")
    files = {}
    misc = taken(os.path.join(root, "smp/misc.py"), "process_punctuation", "istype", "d2df", "cn_string", "toliststr", pd=pd, re=re)
    build_option_str = taken(os.path.join(root, "smp/vlm.py"), "build_option_str", pd=pd).build_option_str
    log = logging.getLogger("x")
    log.setLevel(logging.CRITICAL)
    load = lambda f: f if isinstance(f, (pd.DataFrame, dict)) else files.get(f, {}).copy()
    dump = lambda x, f: files.__setitem__(f, x.copy())
    module("vlmeval")
    smp = module("vlmeval.smp", load=load, dump=dump, get_logger=lambda n: log, get_pred_file_format=lambda: "x", timestr=lambda: "t", listinstr=lambda some, s: any(x in s for x in some),
                 d2df=misc.d2df, istype=misc.istype, cn_string=misc.cn_string, process_punctuation=misc.process_punctuation)
    module("vlmeval.smp.log", get_logger=lambda n: log)
    module("vlmeval.smp.vlm", build_option_str=build_option_str)

    def of(name, path):
        m = types.ModuleType(name)
        exec(compile(open(os.path.join(root, path)).read(), path, "exec"), m.__dict__)
        return m

    matching = of("matching", "utils/matching_util.py")
    module("vlmeval.utils", can_infer=matching.can_infer, can_infer_lego=None, track_progress_rich=lambda f, tups, **k: [f(**t) for t in tups])
    yorn, vqa, mcq = of("yorn", "dataset/utils/yorn.py"), of("vqa", "dataset/utils/vqa_eval.py"), of("mcq", "dataset/utils/multiple_choice.py")

    def picture(width, height):
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        rows = b"".join(b"\0" + bytes((x * 7 + y * 11) % 256 for x in range(3 * width)) for y in range(height))
        return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")).decode()

    small = picture(4, 3)
    out = {}

    def case(name, rows, predictions, score):
        """The table as pandas writes it, what it reads of it, and the original's scores of the predictions."""
        text = pd.DataFrame(rows).to_csv(sep="\t", index=False)
        data = pd.read_csv(io.StringIO(text), sep="\t")
        data["prediction"] = predictions
        with contextlib.redirect_stdout(io.StringIO()):
            out[name] = dict(tsv=text, predictions=predictions, **score(data))

    # Yes or no
    n = len(cases.YES_NO)
    pope = [dict(index=i, image=small if i == 0 else "0", question=f"Is there\ta \"thing\" {i}\nin it?" if i % 7 == 0 else f"Is there a thing {i}?", answer=["Yes", "No"][i % 3 == 1],
                 category=["random", "popular", "adversarial,random", "adversarial,popular,random"][i % 4]) for i in range(n)]

    def score_pope(data):
        data["extracted"] = [yorn.YOrN_Extraction(x) for x in data["prediction"]]
        data["score"] = data["answer"] == data["extracted"]
        rating = yorn.POPE_rating(data)
        return dict(extracted=list(data["extracted"]), rating={r["split"]: {k: float(r[k]) for k in ("Overall", "acc", "precision", "recall")} for _, r in rating.iterrows()})
    case("pope", pope, cases.YES_NO, score_pope)

    categories = ["OCR", "artwork", "celebrity", "color", "count", "existence", "landmark", "position", "posters", "scene", "code_reasoning", "commonsense_reasoning", "numerical_calculation", "text_translation"]
    mme = [dict(index=i, image=small, image_path=f"{categories[i // 2 % 14]}_{i // 28}.png", question=f"Q {i}? Please answer yes or no.", answer=["Yes", "No"][i % 2], category=categories[i // 2 % 14]) for i in range(112)]

    def score_mme(data):
        data["extracted"] = [yorn.YOrN_Extraction(x) for x in data["prediction"]]
        data["score"] = data["answer"] == data["extracted"]
        return dict(rating={k: float(v) for k, v in yorn.MME_rating(data).iloc[0].items()})
    case("mme", mme, [cases.YES_NO[(i * i + 3 * i) % n] if i % 5 == 0 else ["Yes", "No"][(i + (i % 11 == 0)) % 2] for i in range(112)], score_mme)

    # Texts
    def score_vqa(dataset, method):
        def score(data):
            data["prediction"], data["answer"] = [str(x) for x in data["prediction"]], [str(x) for x in data["answer"]]
            hits = vqa.hit_calculate([vqa.process_line(data.iloc[i], method=method) for i in range(len(data))], dataset)
            splits = {s: 100 * float(np.mean([h for h, t in zip(hits, data["split"]) if t == s])) for s in sorted(set(data["split"]))}
            return dict(hits=[float(h) for h in hits], overall=100 * float(np.mean(hits)), splits=splits)
        return score
    # Cells that pandas takes for missing are left out here: "nan".
    chart = [(t, p) for t, p in cases.CHART if t != "nan"]
    case("chartqa", [dict(index=i, image=small, question=f"q{i}", answer=t, split=["test_human", "test_augmented"][i % 2]) for i, (t, _) in enumerate(chart)], [p for _, p in chart], score_vqa("ChartQA_TEST", "relaxed_accuracy"))
    case("docvqa", [dict(index=i, image=small, question=f"q{i}", answer=str(t), split="val") for i, (t, _) in enumerate(cases.DOC)], [p for _, p in cases.DOC], score_vqa("DocVQA_VAL", "anls"))

    # Options
    letters = list(cases.OPTIONS)
    out["choices"] = dict(options=cases.OPTIONS, rows=[dict(answer=t, read=mcq.prefetch_answer(dict(cases.OPTIONS, prediction=t)) or None) for t in cases.CHOICE])

    def rotations():
        rows, predictions = [], []
        for q in range(24):
            options = [f"thing {q}", f"\"quoted\", {q}", f"tab\there {q}", f"line\nend {q}"][:2 + q % 3]
            for k in range(len(options)):
                turned = options[k:] + options[:k]
                right = letters[(q - k) % len(options)]
                row = dict(index=q + 1 + 1000000 * k, image=small if k == 0 else str(q + 1), question=f"What is it, {q}?", hint=None if q % 2 else f"Hint {q}", A=None, B=None, C=None, D=None, answer=right,
                           category=["attribute_reasoning", "image scene", "ocr"][q % 3], split=["dev", "test"][q % 4 == 3])
                row["l2-category"] = ["logic_reasoning", "coarse_perception"][q % 2]
                row.update(zip(letters, turned))
                rows.append(row)
                predictions.append(["", f"{right}.", f"The answer is {right}", turned[letters.index(right)].upper(), f"({right})", "A B", right, letters[(letters.index(right) + 1) % len(options)]][(q * 5 + k * (q % 5 == 0)) % 8] if q % 3 == 0 else right + [".", "", ")"][k % 3])
        return rows, predictions
    rows, predictions = rotations()

    def score_choices(name, circular):
        def score(data):
            files.clear()
            data["index"] = [int(x) for x in data["index"]]
            meta = data[["index", "answer"]].copy()
            data = (mcq.mcq_circular_eval if circular else mcq.mcq_vanilla_eval)(None, data, meta, 1, "result", name)
            report = mcq.report_acc(data.rename(columns={"L2-category": "l2-category"}))
            return dict(hits={str(i): int(h) for i, h in zip(data["index"], data["hit"])}, overall=float(np.mean(data["hit"])), report={r["split"]: {k: None if pd.isna(v) else float(v) for k, v in r.items() if k != "split"} for _, r in report.iterrows()})
        return score
    case("mmbench", rows, predictions, score_choices("MMBench_DEV_EN", True))
    science = [dict(index=i, image=None if i == 4 else small, question=f"Why {i}?", hint="Some\ncontext" if i % 3 == 0 else None, answer=letters[i % 4], category=f"c{i % 3}", split="test", **cases.OPTIONS) for i in range(len(cases.CHOICE))]
    seen = [r for r in science if r["image"]]
    case("scienceqa", seen, [t for r, t in zip(science, cases.CHOICE) if r["image"]], score_choices("ScienceQA_TEST", False))
    mmmu = [dict(index=i + 1, id=f"validation_Art_{i + 1}", image=str([small, picture(5, 5)]) if i % 2 else small, question="See <image 1>" + (" and <image 2>." if i % 2 else "."), answer=["12.5", "['x', 'y']", "B"][i // 5 % 3] if i % 5 == 0 else letters[i % 4],
                 A=None if i % 5 == 0 else "red", B=None if i % 5 == 0 else "a blue car", C=None if i % 5 == 0 else "Green tree", D=None if i % 5 == 0 else "<image 1>", category="Art", split=["validation", "dev"][i % 7 == 6]) for i in range(len(cases.CHOICE))]
    mmmu_predictions = [["It is 12.5", "other answers", "B", "A", "x", "['x', 'y'] it is"][i // 5 % 6] if i % 5 == 0 else t for i, t in enumerate(cases.CHOICE)]
    case("mmmu", mmmu, mmmu_predictions, score_choices("MMMU_DEV_VAL", False))

    # Reading
    reader = taken(os.path.join(root, "dataset/image_vqa.py"), "OCRBench", ImageBaseDataset=object, load=load, dump=dump, tqdm=lambda x: x, get_intermediate_file_path=lambda *x: "score").OCRBench
    case("ocrbench", [dict(index=i, image=small, question=f"read {i}", answer=t, category=c) for i, (c, t, _) in enumerate(cases.OCR)], [p for _, _, p in cases.OCR], lambda data: dict(score=reader.evaluate(data)))

    # Rectangles
    grounding = taken(os.path.join(root, "dataset/refcoco.py"), "RefCOCODataset", ImageBaseDataset=object, np=np, pd=pd, re=re, defaultdict=defaultdict, load=load, dump=dump, get_intermediate_file_path=lambda *x: x[1],
                      Dict=dict, List=list, Optional=__import__("typing").Optional).RefCOCODataset
    boxes = []
    for i, (t, _) in enumerate(cases.BOX):
        row = dict(index=i, image=small, question=f"Where is thing {i}?", category=cases.BOX_SPLITS[i % len(cases.BOX_SPLITS)], width=500, height=480)
        row.update(zip(("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2"), map(float, t.split())))
        boxes.append(row)

    def score_boxes(official):
        def score(data):
            data["split"] = [grounding._category_to_split(c) for c in data["category"]]
            data = data[[official or s.startswith("Other") for s in data["split"]]].reset_index(drop=True)
            d = object.__new__(grounding)
            d.data, d.dataset_name, d._ensure_metadata_ready = data, "RefCOCO", lambda: None
            summary = d.evaluate(data.copy())
            return dict(ious=[float(x) for x in files["_detail"]["iou"]], summary={r["Split"]: [float(r["Precision@1"]), float(r["Average IoU"])] for _, r in summary.iterrows()})
        return score
    case("refcoco", boxes, [p for _, p in cases.BOX], score_boxes(True))
    other = [dict(r, category="Other x-y") for r in boxes]
    case("refcoco-other", other, [p for _, p in cases.BOX], score_boxes(False))
    dump_json(out)


def dump_json(out):
    dump("benchmarks.json", out)


if a.vlmevalkit:
    quick()
