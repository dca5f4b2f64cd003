#!/usr/bin/env python3
"""Packs the profiles of langdetect (Apache-2.0, Debian's python3-langdetect 1.0.9) into language_profiles.gz: python3 pack_language_profiles.py OUT

UTF-8 lines. The first: Chinese characters that count as one, a word a class. Then, for each language in alphabetic order, its name and for n-grams of 1, 2
and 3 characters three lines: occurrences in all, the n-grams one behind the other from the most frequent, and their occurrences: the first one's, then by
how much each is below the one before.
"""
import gzip
import json
import os
import sys

import langdetect
from langdetect.utils.ngram import NGram

folder = os.path.join(os.path.dirname(langdetect.__file__), "profiles")
lines = [" ".join(NGram.CJK_CLASS)]
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        profile = json.load(file)
    assert profile["name"] == name
    lines.append(name)
    for n in (1, 2, 3):
        grams = sorted(((count, gram) for gram, count in profile["freq"].items() if len(gram) == n), key=lambda pair: (-pair[0], pair[1]))
        assert all(ord(c) < 0x10000 and c != "\n" for _, gram in grams for c in gram)
        counts = [count for count, _ in grams]
        steps = [counts[0]] + [before - count for before, count in zip(counts, counts[1:])]
        lines += [str(profile["n_words"][n - 1]), "".join(gram for _, gram in grams), " ".join(map(str, steps))]
with open(sys.argv[1], "wb") as out:
    out.write(gzip.compress("\n".join(lines).encode(), 9, mtime=0))
