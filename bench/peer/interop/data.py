"""The samples as real pyarrow and datasets write them.

    data.py WORK write          one file or folder of each kind in WORK/data
    data.py WORK golden         the small ones among tests/goldens/arrow, in WORK/arrow
    data.py WORK compare        prints whether Fovea's loss over each is that over the JSON file
"""
import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

WORK = sys.argv[1]
OUT, GOLDEN = WORK + "/data", WORK + "/golden/data/"


def rows():
    return [dict(messages=r["messages"], images=[dict(bytes=open(GOLDEN + p, "rb").read(), path=None) for p in r["images"]])
            for r in json.load(open(GOLDEN + "tiny_shapes.json"))]


def schema(text, blob, listed, role=None, content=None):
    return pa.schema([("messages", listed(pa.struct([("role", role or text), ("content", content or text)]))),
                      ("images", listed(pa.struct([("bytes", blob), ("path", text)])))])


def arrow(name, table, open_writer=pa.ipc.new_stream, codec=None, batch=4):
    with pa.OSFile(f"{OUT}/{name}.arrow", "wb") as f, open_writer(f, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table, max_chunksize=batch)


def write():
    os.makedirs(OUT, exist_ok=True)
    plain = pa.Table.from_pylist(rows(), schema(pa.string(), pa.binary(), pa.list_))
    large = pa.Table.from_pylist(rows(), schema(pa.large_string(), pa.large_binary(), pa.large_list))
    words = pa.Table.from_pylist(rows(), schema(pa.string(), pa.binary(), pa.list_, pa.dictionary(pa.int8(), pa.string())))
    views = pa.Table.from_pylist(rows(), schema(pa.string_view(), pa.binary_view(), pa.list_))
    arrow("stream", plain)
    arrow("file", plain, pa.ipc.new_file)
    for codec in ("lz4", "zstd"):
        arrow("stream-" + codec, plain, codec=codec)
        arrow("file-" + codec, plain, pa.ipc.new_file, codec)
    arrow("large", large)
    arrow("large-zstd", large, codec="zstd")
    arrow("views", views)
    arrow("list-view", pa.Table.from_pylist(rows(), schema(pa.string(), pa.binary(), pa.list_view)))
    arrow("dictionary", words)
    arrow("dictionary-file-lz4", words, pa.ipc.new_file, "lz4")
    texts = schema(pa.string(), pa.binary(), pa.list_, content=pa.dictionary(pa.int32(), pa.string()))
    arrow("dictionary-replaced", pa.concat_tables([pa.Table.from_pylist(part, texts) for part in (rows()[:5], rows()[5:])]))
    arrow("one-batch", plain, batch=100)
    arrow("sliced", pa.concat_tables([plain.slice(0, 5), plain.slice(5)]), batch=100)
    for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
        pq.write_table(plain, f"{OUT}/parquet-{codec}.parquet", compression=codec, row_group_size=5)
    pq.write_table(large, OUT + "/parquet-large.parquet")
    pq.write_table(words, OUT + "/parquet-dictionary.parquet", version="2.6", data_page_version="2.0")

    from datasets import Dataset, DatasetDict, Features, Image, List, Value
    features = Features(messages=List({"role": Value("string"), "content": Value("string")}), images=List(Image()))
    made = Dataset.from_list(rows(), features=features)
    made.save_to_disk(OUT + "/saved")
    made.save_to_disk(OUT + "/saved-shards", num_shards=3)
    DatasetDict(train=made, test=made.select(range(2))).save_to_disk(OUT + "/saved-splits")
    made.select(list(reversed(range(len(made))))).save_to_disk(OUT + "/saved-reversed")
    made.to_parquet(OUT + "/datasets.parquet")
    paths = [{"messages": r["messages"], "images": [GOLDEN + p for p in r["images"]]} for r in json.load(open(GOLDEN + "tiny_shapes.json"))]
    Dataset.from_list(paths, features=features).save_to_disk(OUT + "/saved-embedded")
    Dataset.from_list(paths).save_to_disk(OUT + "/saved-paths")


def golden():
    from datasets import Dataset, Features, Image, List, Value
    global OUT
    OUT = WORK + "/arrow"
    os.makedirs(OUT, exist_ok=True)
    few = [r for n in (0, 1, 2) for r in [r for r in rows() if len(r["images"]) == n][:1]]
    features = Features(messages=List({"role": Value("string"), "content": Value("string")}), images=List(Image()))
    Dataset.from_list(few, features=features).save_to_disk(OUT + "/saved", num_shards=2)
    arrow("large-dictionary-zstd", pa.Table.from_pylist(few, schema(pa.large_string(), pa.large_binary(), pa.large_list, pa.dictionary(pa.int8(), pa.string()))),
          codec="zstd", batch=2)
    arrow("views-file-lz4", pa.Table.from_pylist(few, schema(pa.string_view(), pa.binary_view(), pa.list_)), pa.ipc.new_file, "lz4", 2)


def compare():
    numbers = {n[5:-5]: json.load(open(f"{WORK}/losses/{n}")) for n in sorted(os.listdir(WORK + "/losses")) if n.startswith("data-")}
    true = numbers.pop("json")["eval_token_loss"]
    bad = [n for n in os.listdir(OUT) if n not in numbers]
    for name, r in numbers.items():
        bad += [name] if not abs(r["eval_token_loss"] - true) <= 1e-6 else []
    print(f"{len(numbers) - len(bad)} files and folders give {true:.6f}, as the JSON file does; others: {', '.join(bad) or 'none'}")
    sys.exit(bool(bad))


globals()[sys.argv[2]]()
