"""Cuts random Unicode texts by expressions of all kinds, with every way of keeping matches, as Hugging Face tokenizers cuts them.
usage: make_regex_golden.py COUNT SEED | gzip -9 -n > regexes.jsonl.gz   (needs the package tokenizers)"""
import json, random, sys
import unicodedata as u
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

CL100K = r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
EXPRESSIONS = [
    # As published: GPT-4o, DeepSeek-V3 (three), Falcon, a StarCoder-like one, GPT-4 with possessive quantifiers.
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[0-9][0-9][0-9]",
    r"\w+|[^\w\s]+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    # One feature each.
    r"(?i)'S|k+|T", r"(?i:[a-sx])+", r"\bx?\w", r"a\B", r"^.", r".$", r"^", r"\A\S+", r"\s\z", r"\n\Z", r"x*", r"\d+|\D", r"\W+", r"[\w]+", r"[^\w]", r"[\S\n]+",
    r"(?<=\p{L})\p{N}", r"(?<!\s)\s", r"(?>a|ab)c|b", r"(a|b)+", r"a{2}b?", r"a{,2}b", r"a{1,2}+c", r"a+?b", r"\x{4e00}|\u7684|\x41|\t", r"[\x{2000}-\x{200b}]+",
    r"\p{^L}+", r"\P{Lu}+", r"[\P{N}]+", r"\p{Letter}+|\p{decimal_number}", r"[^\p{L}\p{M}']+", r"\p{S}|\p{P}+|\p{Cf}|\p{Mn}", r"[\p{So}\p{Sk}]", r"[a\-z]|[x-]",
    r"\p{Cn}|\p{Co}", r"[^a-z0-9]", r"\p{Nl}|\p{No}+",
]
BEHAVIORS = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]


def texts(count, rng):
    pools = [list("abcXYZsSkKtxx'"), list("aabbc"), list(" \t\n\r\u000b\u000c\u0085\u00a0\u2003\u3000\u200b\u180e\u2028\n "), list("0123456789²½Ⅷ①٣"), list(".,;:!?-_()$%^<>|/"),
             list("éèçßǅʰªºſK\ufb01"), list("的一是龥視覺한국어かな々"), list("😀👩‍👧🇨🇳❤️🫠"), list("𝒜𠀀𐍈𞤀𝟘𐏓🄂\U000e0041\U000f0000𑀀𐬹𒐀"), list("\u0301\u0308\u093f\u0e33\u20ddⒶ\u203f")]
    assigned = [c for c in map(chr, range(0x110000)) if u.category(c) not in ("Cn", "Cs", "Co")]
    for _ in range(count):
        few = rng.sample(pools, rng.randint(1, 4)) + ([assigned] if rng.random() < 0.3 else [])
        yield "".join(rng.choice(rng.choice(few)) for _ in range(rng.randint(1, 24)))


if __name__ == "__main__":
    rng = random.Random(int(sys.argv[2]))
    for expression in EXPRESSIONS:
        rows = []
        for text in texts(int(sys.argv[1]), rng):
            behavior, invert = rng.choice(BEHAVIORS), rng.random() < 0.3
            pieces = [piece for piece, _ in Split(Regex(expression), behavior, invert).pre_tokenize_str(text)]
            rows.append([text, behavior, invert, pieces])
        print(json.dumps({"expression": expression, "rows": rows}))
