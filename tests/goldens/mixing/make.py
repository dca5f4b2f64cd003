"""Makes mixing.json: the orders in which Hugging Face's datasets interleaves and shuffles, by its own code cut out of its sources (Apache 2.0).
  make.py DATASETS/src/datasets      needs numpy alone; made with datasets at b7cb10b0e3 and numpy 1.24.2"""
import ast, concurrent.futures, inspect, json, os, sys, time
from copy import deepcopy
from itertools import cycle, islice
from typing import *
import numpy as np


class Table:
    """Stands for a dataset of n rows, which are numbers."""
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def select(self, indices):
        return indices


class _BaseExamplesIterable:
    def __init__(self):
        self._state_dict = None

    sleep_on_threads_shutdown = False
    num_shards = 1


class Rows(_BaseExamplesIterable):
    """Stands for an iterable dataset of one shard: numbers from first on."""
    def __init__(self, first, n):
        super().__init__()
        self.first, self.n = first, n

    def __iter__(self):
        return iter(range(self.first, self.first + self.n))

    def shuffle_data_sources(self, generator):
        return self

    def shift_rngs(self, value):
        return self


names = {
    "np": np, "deepcopy": deepcopy, "cycle": cycle, "islice": islice, "concurrent": concurrent, "time": time, "_BaseExamplesIterable": _BaseExamplesIterable,
    "Dataset": Table, "DatasetInfo": object, "NamedSplit": object, "_concatenate_map_style_datasets": lambda tables, **_: tables[0],
}
names.update({name: globals()[name] for name in ("Optional", "Literal", "Union", "Iterator", "Callable")})


def take(file, *wanted):
    source = open(os.path.join(sys.argv[1], file)).read()
    for node in ast.parse(source).body:
        if getattr(node, "name", None) in wanted:
            exec("from __future__ import annotations\n" + ast.get_source_segment(source, node), names)


take("arrow_dataset.py", "_interleave_map_style_datasets")
take("iterable_dataset.py", "CyclingMultiSourcesExamplesIterable", "RandomlyCyclingMultiSourcesExamplesIterable", "BufferShuffledExamplesIterable",
     "shift_ex_examples_rngs")
interleave = names["_interleave_map_style_datasets"]
cases, streams = [], []
for lengths, probabilities, seed in [
    ([3, 4, 5], None, 42), ([7, 2], None, 42), ([4], None, 1), ([9, 5, 14], [0.5, 0.3, 0.2], 42), ([40, 10], [0.1, 0.9], 7), ([6, 6], [0.5, 0.5], 1337),
    ([1, 30], [0.05, 0.95], 3), ([400, 1900], [0.25, 0.75], 42),
]:
    for strategy in ("first_exhausted", "all_exhausted", "all_exhausted_without_replacement"):
        order = [int(i) for i in interleave([Table(n) for n in lengths], probabilities, seed, stopping_strategy=strategy)]
        case = {"lengths": lengths, "probabilities": probabilities, "seed": seed, "strategy": strategy, "count": len(order)}
        cases.append({**case, "order": order[:60] if len(order) > 200 else order, "tail": order[-20:]})

for lengths, probabilities, strategy, buffer, seed in [
    ([25], None, None, 4, 42), ([25], None, None, 100, 42), ([12, 5], None, "first_exhausted", 3, 1), ([12, 5], None, "all_exhausted", 3, 1),
    ([12, 5], None, "all_exhausted_without_replacement", 6, 1), ([20, 9], [0.7, 0.3], "first_exhausted", 5, 42), ([20, 9], [0.7, 0.3], "all_exhausted", 5, 42),
    ([20, 9], [0.2, 0.8], "all_exhausted_without_replacement", 1, 42), ([2500], None, None, 300, 42),
]:
    starts = np.cumsum([0] + lengths[:-1]).tolist()
    rows = [Rows(first, n) for first, n in zip(starts, lengths)]
    if strategy is None:
        mixed = rows[0]
    elif probabilities is None:
        mixed = names["CyclingMultiSourcesExamplesIterable"](rows, strategy)
    else:
        mixed = names["RandomlyCyclingMultiSourcesExamplesIterable"](rows, np.random.default_rng(seed), probabilities, strategy)
    generator = np.random.default_rng(seed)
    shuffled = names["BufferShuffledExamplesIterable"](mixed.shuffle_data_sources(generator), buffer, generator)
    for epoch in (0, 1, 2):
        one = shuffled
        if epoch:
            one = names["shift_ex_examples_rngs"](shuffled.shuffle_data_sources(np.random.default_rng(epoch)), epoch)
        order = [int(i) for i in one]
        streams.append({
            "lengths": lengths, "probabilities": probabilities, "strategy": strategy, "buffer": buffer, "seed": seed, "epoch": epoch, "count": len(order),
            "order": order[:60] if len(order) > 200 else order, "tail": order[-20:]})

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mixing.json"), "w") as out:
    lines = lambda rows: ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    out.write('{"tables":[\n' + lines(cases) + '\n],"streams":[\n' + lines(streams) + "\n]}\n")
