"""Cuts random Unicode texts by the three published expressions with Oniguruma itself (the engine of Hugging Face tokenizers).
usage: make_split_golden.py COUNT SEED | gzip -9 -n > splits.jsonl.gz   (needs libonig.so.5)"""
import ctypes, json, random, sys
import unicodedata as u

onig = ctypes.CDLL("libonig.so.5")
SYNTAX, UTF8 = ctypes.c_void_p.in_dll(onig, "OnigDefaultSyntax"), ctypes.addressof(ctypes.c_char.in_dll(onig, "OnigEncodingUTF8"))


class Region(ctypes.Structure):
    _fields_ = [("allocated", ctypes.c_int), ("num_regs", ctypes.c_int), ("beg", ctypes.POINTER(ctypes.c_int)), ("end", ctypes.POINTER(ctypes.c_int))]


onig.onig_region_new.restype = ctypes.POINTER(Region)
onig.onig_initialize((ctypes.c_void_p * 1)(UTF8), 1)
HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {"qwen2": HEAD + r"\p{N}" + TAIL, "llama3": HEAD + r"\p{N}{1,3}" + TAIL,
            "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"}


def compile_(pattern):
    reg, info = ctypes.c_void_p(), ctypes.create_string_buffer(256)
    p = ctypes.create_string_buffer(pattern.encode())
    at = ctypes.addressof(p)
    assert onig.onig_new(ctypes.byref(reg), ctypes.c_void_p(at), ctypes.c_void_p(at + len(p) - 1), 0, ctypes.c_void_p(UTF8), SYNTAX, info) == 0
    return reg


def split(reg, text):
    data = text.encode()
    buf = ctypes.create_string_buffer(data)
    base, region, pieces, at = ctypes.addressof(buf), onig.onig_region_new(), [], 0
    end = base + len(data)
    while at < len(data):
        found = onig.onig_search(reg, ctypes.c_void_p(base), ctypes.c_void_p(end), ctypes.c_void_p(base + at), ctypes.c_void_p(end), region, 0)
        assert found == at and region.contents.end[0] > at, (text, at, found)
        pieces.append(data[at:region.contents.end[0]].decode())
        at = region.contents.end[0]
    return pieces


def texts(count, seed):
    rng = random.Random(seed)
    pools = [list("abcXYZstremdvl'"), list("'sS'tT'reRE'llLL'ſ'd'M "), list(" \t\n\r\u000b\u000c\u0085\u00a0\u2003\u3000\u200b\u180e\u2028"), list("0123456789²½Ⅷ①٣"),
             list(".,;:!?-_()$%^<>|"), list("éèçßǅʰªº"), list("的一是猫狗視覺한국어かな"), list("😀👩‍👧🇨🇳❤️"), list("𝒜𠀀𐍈𞤀𝟘"), list("\u0301\u0308\u093f\u0e33\u20dd")]
    assigned = [c for c in map(chr, range(0x110000)) if u.category(c) not in ("Cn", "Cs", "Co")]
    for _ in range(count):
        few = rng.sample(pools, rng.randint(1, 4)) + ([assigned] if rng.random() < 0.3 else [])
        yield "".join(rng.choice(rng.choice(few)) for _ in range(rng.randint(1, 24)))


if __name__ == "__main__":
    compiled = {name: compile_(p) for name, p in PATTERNS.items()}
    for text in texts(int(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps(dict(text=text, nfc=u.normalize("NFC", text), nfd=u.normalize("NFD", text), **{n: split(r, text) for n, r in compiled.items()})))
