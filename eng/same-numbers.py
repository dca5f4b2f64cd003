"""What eng/same-numbers.sh needs besides running programs: it draws the inputs and compares what two builds have left. Python's own library alone."""
import hashlib, json, os, random, re, shutil, struct, subprocess, sys

TIMES = re.compile(r"time|runtime|per_second|elapsed|remaining|throughput|speed|date|memory|version")
TENSORS = (".safetensors", ".pth", ".bin")
# May gain keys: they tell how a run went, and nothing outside reads them by position.
GAINS = ("fovea_state.json", "trainer_log.jsonl", "fovea_base.json")
# Words and drawings; whether they are there is compared.
WORDS = ("running_log.txt", ".log", ".svg", ".png", ".md")


# ---------------------------------------------------------------- inputs
def draw(source, target):
    """A golden's folder of a model, with weights of its shapes (its weights.json) and Python's random numbers."""
    shutil.copytree(source, target)
    recipe = json.load(open(f"{target}/weights.json"))
    generator, tensors = random.Random(recipe["seed"]), {}
    for one in recipe["draws"]:
        count = 1
        for size in one["shape"]:
            count *= size
        # Sums of four bytes are near enough to a normal distribution, and quick.
        data, scale = generator.randbytes(4 * count), one["deviation"] / 147.8
        mean = one["mean"] - 510 * scale
        quads = zip(data[0::4], data[1::4], data[2::4], data[3::4])
        tensors[one["name"]] = ("F32", one["shape"], struct.pack(f"<{count}f", *[mean + scale * (a + b + c + d) for a, b, c, d in quads]))
    tensors |= {tie: tensors[name] for tie, name in recipe.get("ties", {}).items()}
    if os.path.exists(f"{target}/kept.safetensors"):
        with open(f"{target}/kept.safetensors", "rb") as f:
            header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
            rest = f.read()
        tensors |= {k: (v["dtype"], v["shape"], rest[slice(*v["data_offsets"])]) for k, v in header.items() if k != "__metadata__"}
        os.remove(f"{target}/kept.safetensors")
    os.remove(f"{target}/weights.json")
    header, at = {}, 0
    for name, (dtype, shape, data) in sorted(tensors.items()):
        header[name] = dict(dtype=dtype, shape=shape, data_offsets=[at, at + len(data)])
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{target}/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in header:
            f.write(tensors[name][2])


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


COMMON = """max_steps: 4
logging_steps: 1
save_strategy: steps
save_steps: 100
use_cpu: true
vision_cache_dir: none
"""


def prepare(goldens, inputs, quick):
    os.makedirs(inputs)
    draw(f"{goldens}/qwen2_5_vl_tiny/model", f"{inputs}/qwen")
    draw(f"{goldens}/minicpm_v26/model", f"{inputs}/minicpm_v26")
    if not quick:
        draw(f"{goldens}/minicpm_v25/model", f"{inputs}/minicpm_v25")
    shutil.copytree(f"{goldens}/qwen2_5_vl_tiny/data", f"{inputs}/qwen_data")
    shutil.copytree(f"{goldens}/minicpm_v26/data/images", f"{inputs}/minicpm_images")
    shutil.copy(f"{goldens}/minicpm_v26/data/train.json", f"{inputs}/minicpm.json")
    shutil.copy(f"{goldens}/deepspeed/ds_config_zero3.json", inputs)
    shutil.copytree(f"{goldens}/checkpoints/models/minimind", f"{inputs}/minimind_experts")
    shutil.copy(f"{goldens}/checkpoints/made/minimind_resume.pth", f"{inputs}/experts_resume.pth")
    for generation, weights, encoder in ("c", "llm_64.safetensors", "siglip2-base-p32-256-ve"), ("a", "lm_64.safetensors", "clip-vit-base-patch16"):
        name = "minimind" if generation == "c" else "minimind_a"
        shutil.copytree(f"{goldens}/minimind_{generation}/tokenizer", f"{inputs}/{name}")
        draw(f"{goldens}/minimind_{generation}/vision/{encoder}", f"{inputs}/{name}/{encoder}")
        shutil.copytree(f"{goldens}/minimind_{generation}/data", f"{inputs}/{name}_data")
        draw(f"{goldens}/minimind_{generation}/dense/weights", f"{inputs}/{name}/dense")
        os.rename(f"{inputs}/{name}/dense/model.safetensors", f"{inputs}/{name}/{weights}")
        os.rmdir(f"{inputs}/{name}/dense")
        sizes = dict(dim=64, n_layers=2, n_heads=4, n_kv_heads=2) if generation == "a" else dict(
            hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2)
        write(f"{inputs}/{name}/config.json", json.dumps(dict(model_type="minimind-v", use_moe=False, vision_model=encoder, weights=weights, **sizes)))
        rows = "train.jsonl" if generation == "a" else "train.rows.json"
        write(f"{inputs}/{name}.yaml", COMMON + f"""model_name_or_path: inputs/{name}
stage: sft
finetuning_type: full
freeze_llm: 0
data_path: inputs/{name}_data/{rows}
images_path: inputs/{name}_data/images
max_seq_len: 288
per_device_train_batch_size: 2
learning_rate: 1.0e-3
""")
    write(f"{inputs}/qwen.yaml", COMMON + """model_name_or_path: inputs/qwen
stage: sft
dataset: tiny_shapes
dataset_dir: inputs/qwen_data
template: qwen2_vl
max_samples: 24
per_device_train_batch_size: 1
gradient_accumulation_steps: 4
learning_rate: 1.0e-3
lr_scheduler_type: cosine
""")
    write(f"{inputs}/minicpm.yaml", COMMON + """model_name_or_path: inputs/minicpm_v26
dataset: inputs/minicpm.json
media_dir: inputs/minicpm_images
cutoff_len: 2048
max_slice_nums: 4
per_device_train_batch_size: 1
learning_rate: 1.0e-3
lr_scheduler_type: cosine
""")
    write(f"{inputs}/export.yaml", "model_name_or_path: inputs/qwen\nadapter_name_or_path: out/lora_bf16\ntemplate: qwen2_vl\nexport_size: 1\n")
    write(f"{inputs}/bad.json", '[{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, {"messages": 3}]\n')
    write(f"{inputs}/text.txt", "Hello world\nA red circle, 12.5 %\n你好，世界 éß 🙂\n")
    shutil.copy(f"{goldens}/qwen2_5_vl_tiny/data/images/000_0.png", f"{inputs}/picture.png")


# ---------------------------------------------------------------- comparing
class Case:
    def __init__(self, work):
        self.work, self.equal, self.gained, self.differs = work, {}, [], []

    def count(self, what):
        self.equal[what] = self.equal.get(what, 0) + 1

    def text(self, side, path):
        with open(f"{self.work}/{side}/{path}", encoding="utf-8", errors="replace") as f:
            return f.read().replace(f"{self.work}/{side}", "<here>")

    def values(self, where, old, new, gains):
        if isinstance(old, dict) and isinstance(new, dict):
            for key in old.keys() - new.keys():
                self.differs.append(f"{where}: key {key} is gone")
            for key in new.keys() - old.keys():
                (self.gained if gains else self.differs).append(f"{where}: key {key} is new")
            for key in sorted(old.keys() & new.keys()):
                if TIMES.search(key):
                    continue
                self.values(f"{where}.{key}", old[key], new[key], gains)
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for i, (a, b) in enumerate(zip(old, new)):
                self.values(f"{where}[{i}]", a, b, gains)
        elif old != new or type(old) is not type(new):
            self.differs.append(f"{where}: {str(old)[:60]} -> {str(new)[:60]}")
        else:
            self.count("values")

    def file(self, path):
        name = os.path.basename(path)
        if name.endswith(WORDS) or "tfevents" in name:
            self.count("names")
        elif name.endswith((".json", ".jsonl")):
            lines = lambda text: [json.loads(line) for line in text.splitlines()] if name.endswith(".jsonl") else json.loads(text)
            self.values(path, lines(self.text("old", path)), lines(self.text("new", path)), name in GAINS)
            self.count("json")
        else:
            hashes = [hashlib.sha256(open(f"{self.work}/{side}/{path}", "rb").read()).hexdigest() for side in ("old", "new")]
            if hashes[0] == hashes[1]:
                self.count("tensors" if name.endswith(TENSORS) else "files")
            else:
                self.differs.append(f"{path}: sha256 {hashes[0][:12]} -> {hashes[1][:12]}")


def files(root, base):
    found = {}
    for folder, _, names in os.walk(os.path.join(root, base)):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            # TensorBoard's names tell when and where they were written, and so do the folders that hold them.
            found[re.sub(r"runs/[^/]+/events\.out\.tfevents.*", "runs/*/events.out.tfevents", path)] = path
    if os.path.isfile(os.path.join(root, f"{base}.json")):
        found[f"{base}.json"] = f"{base}.json"
    return found


def compare(work, name, kind, seconds):
    case = Case(work)
    codes = [case.text(side, f"seen/{name}.code").strip() for side in ("old", "new")]
    if codes[0] != codes[1]:
        case.differs.append(f"exit code {codes[0]} -> {codes[1]}")
    old, new = (files(f"{work}/{side}", f"out/{name}") for side in ("old", "new"))
    for path in sorted(old.keys() - new.keys()):
        case.differs.append(f"{path} is gone")
    for path in sorted(new.keys() - old.keys()):
        case.differs.append(f"{path} is new")
    for path in sorted(old.keys() & new.keys()):
        if "*" in path:
            case.count("names")
        else:
            case.file(path)
    if kind in ("stdout", "numbers"):
        seen = [case.text(side, f"seen/{name}.stdout") for side in ("old", "new")]
        if kind == "numbers":
            # How long it took is told in lines of their own or in these words.
            seen = [re.sub(r"'\w*(?:runtime|per_second)': [\d.]+", "", text) for text in seen]
            seen = [re.findall(r"[-+]?\d[\d,.]*(?:e[-+]\d+)?", re.sub(r"(?m)^.*(samples/s|tokens/s|\d:\d\d:\d\d|\bin \d[\d.]* s\b).*$", "", text)) for text in seen]
        if seen[0] == seen[1]:
            case.count("outputs")
            if not seen[0]:
                case.differs.append("nothing on standard output, nothing compared")
        else:
            pairs = [f"{a} -> {b}" for a, b in zip(seen[0], seen[1]) if a != b] if kind == "numbers" else []
            case.differs.append(f"standard output differs: {', '.join(pairs[:4]) or [text if kind == 'stdout' else len(text) for text in seen]}")
    told = ", ".join(f"{count} {what}" for what, count in sorted(case.equal.items()))
    verdict = "DIFFERS" if case.differs else "equal"
    if codes[0] == codes[1] == "0" and kind in ("1", "2") and not case.equal:
        case.differs.append("nothing was left to compare")
        verdict = "DIFFERS"
    print(f"{verdict:8}{name:24}exit {codes[0]:4}{seconds:>3} s  {told}{', gained ' + str(len(case.gained)) if case.gained else ''}", flush=True)
    for what in case.differs[:8] + ([f"... and {len(case.differs) - 8} more"] if len(case.differs) > 8 else []):
        print(f"          {what}")
    for what in case.gained[:3]:
        print(f"          (gained) {what}")
    note(work, name, verdict)


def note(work, name, verdict):
    with open(f"{work}/verdicts", "a") as f:
        f.write(f"{verdict} {name}\n")


def verbs(fovea):
    """Every verb with its options, one a line, as --help shows them."""
    waiting = [[]]
    while waiting:
        verb = waiting.pop(0)
        done = subprocess.run([fovea, *verb, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        if done.returncode:
            sys.exit(f"{fovea} {' '.join(verb)} --help: exit code {done.returncode}: {done.stderr}")
        section, commands = "", []
        for line in done.stdout.splitlines():
            if re.match(r"[A-Z][A-Za-z ]*:\s*$", line):
                section = line.strip()
            elif section == "Commands:" and (found := re.match(r"  ([a-z0-9][a-z0-9-]*)", line)):
                commands.append(found[1])
            elif section == "Options:" and re.match(r"  -", line):
                head = re.split(r"\s{2,}", line.strip())[0]
                print(" ".join(["fovea", *verb, re.sub(r"\s*<.*", "", head)]))
        for command in commands:
            print(" ".join(["fovea", *verb, command]))
            waiting.append([*verb, command])


def compare_verbs(work):
    old, new = ([line for line in open(f"{work}/{side}/seen/verbs.txt").read().splitlines()] for side in ("old", "new"))
    gone, more = [line for line in old if line not in new], [line for line in new if line not in old]
    verdict = "DIFFERS" if gone or not (old and new) else "equal"
    print(f"{verdict:8}{'--help':24}{len(old)} verbs and options{', gained ' + str(len(more)) if more else ''}")
    for line in gone:
        print(f"          {line} is gone")
    for line in more[:5]:
        print(f"          (gained) {line}")
    note(work, "--help", verdict)


def summary(work, seconds):
    lines = open(f"{work}/verdicts").read().splitlines()
    bad = [line.split(" ", 1)[1] for line in lines if line.startswith("DIFFERS")]
    print(f"{len(lines) - len(bad)} of {len(lines)} cases equal, {seconds} s" + (f"; different: {', '.join(bad)}" if bad else ""))
    sys.exit(1 if bad else 0)


match sys.argv[1:]:
    case ["prepare", goldens, inputs, *more]:
        prepare(goldens, inputs, "--quick" in more)
    case ["compare", work, name, kind, seconds]:
        compare(work, name, kind, seconds)
    case ["verbs", fovea]:
        verbs(fovea)
    case ["compare-verbs", work]:
        compare_verbs(work)
    case ["summary", work, seconds]:
        summary(work, seconds)
