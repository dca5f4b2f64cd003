"""Makes minicpm.json: greedy answers by the Hugging Face Hub code of MiniCPM-V 2, 2.5, 2.6 and 4.5 with the random weights of ../minicpm_v2, ../minicpm_v25,
../minicpm_v26 and ../minicpm_v45 (with the pictures of V-2.6), fp32, eager attention, CPU. Sources and revisions are those of the generate.py there. Needs torch, torchvision, transformers 5.12; timm for V-2.
  minicpm.py V2_SOURCE V25_SOURCE V26_SOURCE V45_SOURCE TIMM_SOURCE GOLDENS TEMPORARY     (checkouts; a folder with minicpm_v*/model and its weights as files)

Prompts, pixels, image bounds, features, embeddings and tokens are the hub code's: its processor, its `chat` (with sampling=False, num_beams=1,
repetition_penalty=1) or, where `chat` cannot ask so, its `generate`. `by` says which:
- V-2 and V-2.5 cannot chat without an image (their processors fail), V-2 not with two: `generate`, with the text that `chat` would make.
- V-2's `chat` writes the last <AI> twice, once in its template and once in its processor; the rows by `generate` have it once.
- V-2.5's `chat` writes <|begin_of_text|> in its template, and the tokenizer writes it once more where tokenizer.json says so, as the small one here does.
Every answer was also made by a loop over the language model's own forward of the whole sequence, without a cache, and is the same; smallest_gap is that
loop's, between the two largest logits of any step. `pixels`: SHA-256 of each part's grey levels. `batches` are left-padded; V-2.5 has none, because its
features of an image depend on the other rows (../minicpm_v25/README.md).
What had to change for Transformers 5 is listed under `patches`, beside what the generate.py of each model patches.
"""
import hashlib, importlib, json, os, shutil, sys, types

SOURCES = dict(zip(("v2", "v25", "v26", "v45"), map(os.path.abspath, sys.argv[1:5])))
TIMM, GOLDENS, TEMPORARY = map(os.path.abspath, sys.argv[5:8])
import numpy, torch, transformers
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

torch.set_num_threads(1)
torch.set_grad_enabled(False)
transformers.logging.set_verbosity_error()
sys.path[:0] = [TEMPORARY, TIMM]
TOKENS, LEAST_GAP = 32, 1e-3
STORY = "The quick brown fox jumps over the lazy dog. " * 4
# Turns (a user's, an answer, a user's ...), images (all with the first turn, in front of its text), by.
PROMPTS = {
    "v2": [
        (["Hi"], [], "generate"), (["What do you see?"], ["sq.png"], "chat"), (["Describe it."], ["wide.png"], "chat"),
        (["Which do you like more, and why?"], ["small.png", "mid.png"], "generate"), (["What is it?", "A tall picture.", "Why?"], ["tall.png"], "chat"),
        (["这是什么？"], ["small.png"], "chat"), ([STORY + "What is the dog?"], [], "generate"), (["One", "Two", "Three", "Four", "五"], [], "generate"),
    ],
    "v25": [
        (["Hi"], [], "generate"), (["What is in the picture?"], ["sq.png"], "chat"), (["Describe it."], ["wide.png"], "chat"),
        (["Compare the two."], ["small.png", "mid.png"], "chat"), (["What is it?", "A picture of a tower.", "How tall?"], ["tall.png"], "chat"),
        (["这张图片里有什么？"], ["small.png"], "chat"), ([STORY + "What does the fox do?"], [], "generate"), (["One", "Two", "三"], [], "generate"),
    ],
    "v26": [
        (["Hi"], [], "chat"), (["What is in the picture?"], ["sq.png"], "chat"), (["How many circles?"], ["large.png"], "chat"),
        (["Compare the two."], ["small.png", "mid.png"], "chat"), (["What is it?", "A tall picture.", "And the rest?"], ["tall.png"], "chat"),
        (["这张图片里有什么？"], ["p.png"], "chat"), ([STORY + "What does the fox do?"], [], "chat"),
        (["One", "Two", "Three", "Four", "五"], [], "chat"),
    ],
}
PROMPTS["v45"] = PROMPTS["v26"][:4] + [
    (["What is it?", "<think>\nIt is tall.\n</think>\n\nA tall picture.", "And the rest?"], ["tall.png"], "chat"),
    *PROMPTS["v26"][5:7], (["One", "Two", "Three", "Four", "五"], [], "thinking"),
]
BATCHES = {"v2": [[0, 1, 2, 6]], "v25": [], "v26": [[0, 1, 2, 5, 7], [3, 4, 6]], "v45": [[0, 1, 2, 5], [3, 4, 6]]}


class Patches(list):
    def file(self, path, old, new, why):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert old in text, (path, old)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        self.append(f"{os.path.basename(path)}: {old.strip()!r} -> {new.strip()!r}: {why}")


def language_model(path, patches):
    """Of V-2, whose language model is its own code."""
    renamed = "another name or place in transformers 5"
    patches.file(path, "from transformers.utils.import_utils import is_torch_fx_available", "is_torch_fx_available = lambda: False", "gone in transformers 5")
    imports = "from transformers.pytorch_utils import (\n    ALL_LAYERNORM_LAYERS,\n    is_torch_greater_or_equal_than_1_13,\n)"
    patches.file(path, imports, "from transformers.pytorch_utils import ALL_LAYERNORM_LAYERS", "gone in transformers 5")
    patches.file(path, '_tied_weights_keys = ["lm_head.weight"]', "_tied_weights_keys = {}", "must be a dict in transformers 5; the weights are not tied")
    if not hasattr(transformers.PretrainedConfig(), "use_return_dict"):
        patches.file(path, "self.config.use_return_dict", "self.config.return_dict", renamed)
    scaling = "if self.config.rope_scaling is None"
    why = "transformers 5 fills in a description of the default rope"
    patches.file(path, scaling + ":", scaling + ' or "factor" not in self.config.rope_scaling:', why)
    patches.file(path, "class MiniCPMForCausalLM(MiniCPMPreTrainedModel):",
                 "from transformers import GenerationMixin\nclass MiniCPMForCausalLM(MiniCPMPreTrainedModel, GenerationMixin):",
                 "no longer a base of every model")
    patches.file(path, "past_key_value.get_usable_length(kv_seq_len, self.layer_idx)", "past_key_value.get_seq_length(self.layer_idx)", renamed)
    patches.file(path, "past_key_values.get_usable_length(seq_length)", "past_key_values.get_seq_length()", renamed)
    patches.file(path, "past_length = past_key_values.seen_tokens", "past_length = past_key_values.get_seq_length()", renamed)
    patches.file(path, "max_cache_length = past_key_values.get_max_length()", "max_cache_length = None", renamed)
    patches.file(path, "if inputs_embeds is not None and past_key_values is None:",
                 "if inputs_embeds is not None and (past_key_values is None or past_key_values.get_seq_length() == 0):",
                 "generate of transformers 5 hands over an empty cache where that of 4.36 handed over none")
    patches.file(path, 'position_ids = kwargs.get("position_ids", None)', "position_ids = None", "generate of 4.36 handed over none, that of 5 hands over all")


def vision_tower(patches):
    """Of V-2, in small."""
    import timm
    create = timm.create_model
    timm.create_model = lambda name, **given: create(name, embed_dim=64, depth=4, num_heads=4, **given)
    patches.append(f"timm.create_model wrapped: embed_dim=64, depth=4, num_heads=4; timm {timm.__version__}")


def position_buckets(patches):
    """Of V-2.5, which takes its vision tower from transformers."""
    from transformers.models.idefics2 import modeling_idefics2

    def forward(self, pixel_values, patch_attention_mask):
        embedded = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2)
        side = self.num_patches_per_side
        bounds = torch.arange(1 / side, 1.0, 1 / side)
        ids = torch.zeros(embedded.shape[:2], dtype=torch.long)
        for row, mask in enumerate(patch_attention_mask):
            down, right = (torch.bucketize(torch.arange(0, 1 - 1e-6, 1 / n), bounds, right=True) for n in (mask[:, 0].sum(), mask[0].sum()))
            ids[row][mask.view(-1)] = (down[:, None] * side + right).flatten()
        return embedded + self.position_embedding(ids)

    modeling_idefics2.Idefics2VisionEmbeddings.forward = forward
    patches.append("Idefics2VisionEmbeddings.forward: the position buckets of transformers 4.40")


def tokenizer_of(version, folder, package, patches):
    if version in ("v26", "v45"):
        kind = importlib.import_module(f"{package}.tokenization_minicpmv_fast").MiniCPMVTokenizerFast
        made = kind.from_pretrained(folder)
        made._tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        patches.append("tokenizer: tokenizer.json as it is; the class of transformers 5 builds another of its vocabulary")
        return made
    module = importlib.import_module(f"{package}.tokenization_minicpmv" + ("" if version == "v2" else "_fast"))

    class StandIn(PreTrainedTokenizerFast):
        im_start, im_end, slice_start, slice_end, eot_token = "<image>", "</image>", "<slice>", "</slice>", "<|eot_id|>"
        eos_id = property(lambda self: self.eos_token_id)
        bos_id = property(lambda self: self.bos_token_id)
        unk_id = property(lambda self: self.unk_token_id)
        eot_id = property(lambda self: self.convert_tokens_to_ids("<|eot_id|>"))
        im_start_id = property(lambda self: self.convert_tokens_to_ids("<image>"))
        im_end_id = property(lambda self: self.convert_tokens_to_ids("</image>"))
        if version == "v2":
            add_bos_token = property(lambda self: True)
            apply_chat_template = module.MiniCPMVTokenizer.apply_chat_template
    patches.append("tokenizer: a small stand-in with the attributes of the original class, whose base changed in transformers 5")
    made = StandIn.from_pretrained(folder)
    if version == "v25":
        made.chat_template = (
            "{% set loop_messages = messages %}{% for message in loop_messages %}"
            "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
            "+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
            "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}")
    return made


class Original:
    def __init__(self, version):
        self.version, self.patches, self.folder = version, Patches(), f"{GOLDENS}/minicpm_{version}"
        package, code = f"hub_{version}", f"{TEMPORARY}/hub_{version}"
        shutil.rmtree(code, ignore_errors=True)
        shutil.copytree(SOURCES[version], code)
        open(f"{code}/__init__.py", "w").close()
        if version == "v2":
            language_model(f"{code}/modeling_minicpm.py", self.patches)
            vision_tower(self.patches)
        elif version == "v25":
            position_buckets(self.patches)
        else:
            place = "transformers" if version == "v45" else "transformers.models.qwen2"
            self.patches.file(f"{code}/tokenization_minicpmv_fast.py", f"from {place} import Qwen2TokenizerFast",
                              "from transformers import PreTrainedTokenizerFast as Qwen2TokenizerFast", "transformers 5 reads no tokenizer.json there")
            if not hasattr(transformers.PretrainedConfig(), "use_return_dict"):
                self.patches.file(f"{code}/modeling_navit_siglip.py", "self.config.use_return_dict", "self.config.return_dict", "renamed in transformers 5")
        model_code = importlib.import_module(f"{package}.modeling_minicpmv")
        known = json.load(open(f"{self.folder}/model/config.json"))
        own = {"architectures", "model_type", "torch_dtype", "_golden_vision", "_name_or_path"}
        own |= (set() if version == "v2" else {"slice_mode", "patch_size", "mm_use_im_start_end"})
        config = importlib.import_module(f"{package}.configuration_minicpm").MiniCPMVConfig(**{k: v for k, v in known.items() if k not in own})
        config._attn_implementation = "eager"
        if version == "v25":
            config.vision_config._attn_implementation = "eager"
        self.model = model_code.MiniCPMV(config)
        self.model.load_state_dict(load_file(f"{self.folder}/model/model.safetensors"))
        self.model = self.model.float().eval()
        self.tokenizer = tokenizer_of(version, f"{self.folder}/model", package, self.patches)
        settings = json.load(open(f"{self.folder}/model/preprocessor_config.json"))
        if version == "v25":
            settings["version"] = 2.5
        images = importlib.import_module(f"{package}.image_processing_minicpmv").MiniCPMVImageProcessor(**settings)
        processors = importlib.import_module(f"{package}.processing_minicpmv")
        processors.MiniCPMVProcessor.__init__ = init
        self.patches.append("MiniCPMVProcessor.__init__: takes its parts as they are; ProcessorMixin of transformers 5 wants its own classes")
        self.processor = processors.MiniCPMVProcessor(images, self.tokenizer)
        terminators = {"v2": ["</s>"], "v25": ["<|end_of_text|>", "<|eot_id|>"], "v26": ["<|im_end|>", "<|endoftext|>"]}
        terminators = terminators["v26" if version == "v45" else version]
        self.ends = [self.tokenizer.convert_tokens_to_ids(token) for token in terminators]
        self.watch()

    def watch(self):
        """What chat handed to generate, and what came of it, which chat turns into text."""
        self.seen = types.SimpleNamespace(inputs=None, made=None, embedded=None)
        generate, embed = self.model.llm.generate, self.model.get_vllm_embedding

        def watched(*given, **named):
            assert set(numpy.ravel(named["eos_token_id"])) == set(self.ends)
            self.seen.embedded = named["inputs_embeds"]
            out = generate(*given, **named, return_dict_in_generate=True, output_logits=True)
            self.seen.made = out
            return out.sequences

        def seen(data):
            self.seen.inputs = data
            return embed(data)
        self.model.llm.generate, self.model.get_vllm_embedding = watched, seen

    def image(self, name):
        folder = f"{GOLDENS}/minicpm_v26" if self.version == "v45" else self.folder
        return Image.open(f"{folder}/data/images/{name}").convert("RGB")

    def ask(self, texts, names, by):
        pictures = [self.image(name) for name in names]
        greedy = dict(sampling=False, num_beams=1, repetition_penalty=1.0, max_new_tokens=TOKENS)
        if by == "generate":
            inputs = self.inputs(texts, pictures)
            more = dict(tokenizer=self.tokenizer, max_new_tokens=TOKENS, do_sample=False)
            self.model.generate(**inputs, **more) if self.version == "v2" else self.model.generate(inputs, **more)
        elif self.version == "v2":
            messages = [dict(role=role(i), content=text) for i, text in enumerate(texts)]
            self.model.chat(pictures[0], messages, None, self.tokenizer, self.processor, **greedy)
        else:
            more = dict(enable_thinking=True) if by == "thinking" else {}
            self.model.chat(None, messages_of(texts, pictures), self.tokenizer, self.processor, **greedy, **more)

    def inputs(self, texts, pictures):
        messages = [dict(role=role(i), content=text) for i, text in enumerate(texts)]
        messages[0]["content"] = "(<image>./</image>)" * len(pictures) + texts[0]
        if self.version == "v2":
            text = self.tokenizer.apply_chat_template(messages, add_image_msg=False)
        else:
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        pixels = []
        for picture in pictures:
            made = self.processor.image_processor(picture, return_tensors="pt")
            pixels += made["pixel_values"][0]
            text = text.replace("(<image>./</image>)", self.processor.image_processor.get_slice_image_placeholder(picture.size), 1)
        ids, bounds = self.processor._convert(text)
        return {"input_ids": ids, "pixel_values": [pixels], "tgt_sizes": None, "image_bounds" if self.version == "v2" else "image_bound": [bounds]}

    def bounds(self, row=0):
        return [[int(v) for v in bound] for bound in (self.seen.inputs.get("image_bound") or self.seen.inputs["image_bounds"])[row]]

    def full(self, embedded):
        """The same without generate and without a cache."""
        made, gap = [], 1e9
        scale = getattr(self.model.llm.config, "scale_emb", 1)
        while len(made) < TOKENS and not (made and made[-1] in self.ends):
            places = torch.arange(embedded.shape[1])[None]
            logits = self.model.llm(input_ids=None, inputs_embeds=embedded, use_cache=False, position_ids=places).logits[0, -1].float()
            two = logits.topk(2)
            gap = min(gap, float(two.values[0] - two.values[1]))
            first = logits if not made else first
            made.append(int(two.indices[0]))
            embedded = torch.cat([embedded, self.model.llm.model.embed_tokens(torch.tensor([[made[-1]]])) * scale], 1)
        return made, gap, first

    def row(self, texts, names, by):
        self.ask(texts, names, by)
        seen, ids = self.seen, [int(i) for i in self.seen.inputs["input_ids"][0]]
        made, first = [int(i) for i in seen.made.sequences[0]], seen.made.logits[0][0]
        again, gap, logits = self.full(seen.embedded)
        assert made == again and torch.allclose(first, logits, atol=1e-4), (made, again)
        assert gap > LEAST_GAP, f"{self.version}: {texts} {names} has a gap of {gap:.1e}: ask something else"
        return dict(texts=texts, images=names, by=by, prompt_ids=ids, image_bounds=self.bounds() if names else [],
                    pixels=[digest(p) for p in seen.inputs["pixel_values"][0]],
                    output_ids=made, first_logits=[float(v) for v in first[:8]], smallest_gap=gap)

    def batch(self, rows, chosen):
        """Several prompts at once: the hub's batched chat, or its generate with rows that are padded as its processor pads."""
        if self.version in ("v26", "v45"):
            asked = [messages_of(rows[i]["texts"], [self.image(name) for name in rows[i]["images"]]) for i in chosen]
            self.model.chat(None, asked, self.tokenizer, self.processor, sampling=False, num_beams=1, repetition_penalty=1.0, max_new_tokens=TOKENS)
        else:
            longest = max(len(rows[i]["prompt_ids"]) for i in chosen)
            pads = [longest - len(rows[i]["prompt_ids"]) for i in chosen]
            see = self.processor.image_processor
            pixels = [[p for name in rows[i]["images"] for p in see(self.image(name), return_tensors="pt")["pixel_values"][0]] for i in chosen]
            self.model.generate(
                torch.tensor([[0] * pad + rows[i]["prompt_ids"] for pad, i in zip(pads, chosen)]), pixels,
                tokenizer=self.tokenizer, max_new_tokens=TOKENS, do_sample=False,
                image_bounds=[torch.tensor(rows[i]["image_bounds"]) + pad for pad, i in zip(pads, chosen)],
                attention_mask=torch.tensor([[0] * pad + [1] * len(rows[i]["prompt_ids"]) for pad, i in zip(pads, chosen)]))
        made = self.seen.made
        for at, i in enumerate(chosen):
            ids = [int(v) for v in made.sequences[at]]
            alone = rows[i]["output_ids"]
            assert ids[:len(alone)] == alone and not any(ids[len(alone):]), (self.version, i, ids, alone)
            off = max(abs(float(a) - b) for a, b in zip(made.logits[0][at][:8], rows[i]["first_logits"]))
            assert off < 1e-4, off
        return chosen


def init(self, image_processor=None, tokenizer=None):
    self.image_processor, self.tokenizer = image_processor, tokenizer
    self.version = getattr(image_processor, "version", None)


def role(turn):
    return "user" if turn % 2 == 0 else "assistant"


def messages_of(texts, pictures):
    return [dict(role=role(i), content=[*pictures, text] if i == 0 else text) for i, text in enumerate(texts)]


def digest(pixels):
    """Of the grey levels that the values stand for, in the layout that the processor gives."""
    levels = ((torch.as_tensor(numpy.asarray(pixels)).double() * 0.5 + 0.5) * 255).round().to(torch.uint8)
    return hashlib.sha256(levels.contiguous().numpy().tobytes()).hexdigest()


result = dict(torch=torch.__version__, transformers=transformers.__version__)
for version in os.environ.get("VERSIONS", "v2 v25 v26 v45").split():
    original = Original(version)
    rows = [original.row(*prompt) for prompt in PROMPTS[version]]
    result[version] = dict(patches=original.patches, end_tokens=original.ends, rows=rows, batches=[original.batch(rows, chosen) for chosen in BATCHES[version]])
    print(version, [(len(row["prompt_ids"]), len(row["output_ids"]), "%.1e" % row["smallest_gap"]) for row in rows])
with open(os.environ.get("TARGET") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "minicpm.json"), "w", encoding="utf-8") as f:
    json.dump(result, f, ensure_ascii=False, separators=(",", ":"))
