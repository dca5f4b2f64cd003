"""Expressions and small templates by chance, for differential tests of the Jinja evaluator; the same for the same seed."""
import random

VARIABLES = {
    "s": "Hello, World", "t": "  two words\n", "u": "naïve 你好 😀 x", "e": "", "n": 7, "m": -3, "z": 0, "f": 2.5, "g": -0.125, "b": True, "no": False,
    "none": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "mixed": [1, "1", None, 2.0, True], "empty": [], "d": {"k": "v", "items": 5, "x": {"y": [1, 2]}},
    "users": [{"name": "Ann", "age": 30, "tags": ["p"]}, {"name": "bob", "age": 25}, {"name": "Cid", "age": 30, "tags": []}],
    "q": "it's \"quoted\"\\ \t", "num": " 42 ", "real": "1e3",
}

FILTERS = [
    "trim", "length", "upper", "lower", "capitalize", "title", "string", "int", "float", "list", "first", "last", "reverse|list", "unique|list", "safe", "abs",
    "round", "round(1)", "round(2)", "round(1, 'floor')", "round(0, 'ceil')", "sum", "min", "max", "sort", "sort(reverse=true)", "sort(case_sensitive=true)",
    "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "join", "join(', ')", "default('dd')", "default('dd', true)", "d(1)",
    "replace('l', 'L')", "replace('o', '0', 1)", "replace('', '-')", "map('upper')|list", "map('string')|join('/')", "map(attribute='name')|list",
    "map(attribute='tags', default=[])|list", "select|list", "select('string')|list", "select('gt', 1)|list", "reject('none')|list", "reject|list",
    "selectattr('tags')|list", "selectattr('age', 'equalto', 30)|map(attribute='name')|list", "selectattr('tags', 'defined')|list|length",
    "rejectattr('tags', 'defined')|list", "items|list", "dictsort", "dictsort(false, 'value')", "string|indent", "string|indent(2, true)", "string|indent('>', blank=true)", "wordcount",
    "string|truncate(5)", "string|truncate(6, true, '~', 0)", "format(1, 2)", "count", "map('length')|list", "sum(start=10)", "sum(attribute='age')", "max(attribute='age')",
    "sort(attribute='age,name')|map(attribute='name')|join", "int(default=9)", "float(1)",
]
TESTS = [
    "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "odd", "even", "upper",
    "lower", "eq 3", "equalto('b')", "ne 1", "lt 5", "ge 2", "in [1, 2, 'b']", "in 'Hello'", "divisibleby 3", "sameas none", "callable", "gt(0)", "<= 3",
]
METHODS = [
    "split()", "split(' ')", "split('l', 1)", "rsplit('o', 1)", "split('<')", "strip()", "strip(' H')", "lstrip()", "rstrip('d\\n')", "startswith('He')",
    "startswith(('x', 'H'))", "endswith('d')", "replace('l', '')", "replace('', '.')", "upper()", "lower()", "title()", "capitalize()", "find('o')", "rfind('o')",
    "find('z')", "count('l')", "join(['1', '2'])", "join('xyz')", "isdigit()", "isalpha()", "isspace()", "isupper()", "splitlines()", "splitlines(true)", "items()",
    "keys()", "values()", "get('k')", "get('nope', 3)", "get('x').y", "append(1)", "update({})", "pop()", "index(1)", "partition(', ')", "rpartition('l')",
    "removeprefix('He')", "removesuffix('ld')", "format(1)", "name", "k", "x.y[0]", "items", "nope", "nope.deeper", "__class__", "copy()", "rsplit()",
    "split(None, 1)", "rsplit(none, 1)", "encode()",
]


def atom(r):
    return r.choice([*VARIABLES, *VARIABLES, "missing", "1", "0", "10", "2.5", "-1", "'a'", "'é\\n'", "\"it's\"", "[]", "[1, 'x']", "(1,)", "(1, 2)", "()", "{}", "{'a': 1}",
                     "true", "None", "range(4)", "range(5, 0, -2)", "'%s-%d' % ('a', 3)", "'{}!'", "'%s'", "1e3", "1e16", "1.0", "users[0]", "users[1].name", "l[0]",
                     "d.x", "d['items']", "dict(a=1, b='c')", "'a' 'b'", "'\\u4f60\\x41\\\\'"])


def bound(r):
    return r.choice(["", "", "0", "1", "2", "-1", "-2", "5", "100", "-100", "none"])


def expression(r, depth):
    if depth == 0:
        return atom(r)
    a = lambda: expression(r, depth - 1 - (r.random() < 0.4 and depth > 1))
    kind = r.randrange(14)
    if kind < 2:
        return f"{a()} {r.choice(['+', '-', '*', '/', '//', '%', '**', '~', '+', '~'])} {a()}"
    if kind == 2:
        return f"({a()}) {r.choice(['<', '>', '==', '!=', '<=', '>=', 'in', 'not in'])} {a()}"
    if kind == 3:
        return f"{a()} {r.choice(['and', 'or'])} {a()}"
    if kind == 4:
        return f"{a()} if {a()} else {a()}" if r.random() < 0.8 else f"({a()} if {a()})"
    if kind == 5:
        return f"not {a()}" if r.random() < 0.7 else f"-{a()}"
    if kind in (6, 7, 8):
        return f"({a()})|{r.choice(FILTERS)}" if r.random() < 0.7 else f"{a()}|{r.choice(FILTERS)}"
    if kind == 9:
        return f"({a()}) is {r.choice(['', 'not '])}{r.choice(TESTS)}"
    if kind in (10, 11):
        return f"({a()}).{r.choice(METHODS)}" if r.random() < 0.6 else f"{atom(r)}.{r.choice(METHODS)}"
    if kind == 12:
        return f"{r.choice(['s', 't', 'u', 'l', 'w', 'mixed', 'empty', 'users', 'n', 'range(6)', 'missing', a() + '|string', '([' + a() + '] * 3)'])}[{bound(r)}:{bound(r)}{r.choice(['', ':' + r.choice(['1', '-1', '2', '-2', '']), ''])}]"
    return f"({a()})[{r.choice(['0', '1', '-1', '9', chr(39) + 'k' + chr(39), chr(39) + 'name' + chr(39), 'n'])}]" if r.random() < 0.6 else f"[{a()}, {a()}]"


def statement(r, depth):
    sign = lambda: r.choice(["", "", "-", "+"])
    tag = lambda text: "{%" + sign() + " " + text + " " + r.choice(["", "", "-", "+"]) + "%}"
    gap = lambda: r.choice(["", " ", "\n", "\n  ", "x", " y\n", "  \n\n"])
    out = lambda: "{{" + r.choice(["", "-"]) + " " + expression(r, 1) + " " + r.choice(["", "-"]) + "}}"
    inner = lambda: statement(r, depth - 1) if depth > 0 else out()
    body = lambda: "".join(gap() + inner() for _ in range(r.randrange(1, 3))) + gap()
    kind = r.randrange(11)
    if kind == 0:
        return tag(f"if {expression(r, 1)}") + body() + (tag(f"elif {atom(r)}") + body() if r.random() < 0.3 else "") + (tag("else") + body() if r.random() < 0.5 else "") + tag("endif")
    if kind in (1, 2):
        loop = r.choice(["loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.previtem", "loop.nextitem", "loop.revindex", "loop.cycle('a', 'b')", "i", "i.name", "loop.depth"])
        jump = tag(f"if loop.index0 == {r.randrange(3)}") + tag(r.choice(["break", "continue"])) + tag("endif") if r.random() < 0.4 else ""
        where = f" if {r.choice(['i', 'i != 1', 'loop', 'i is string', 'i is not none'])}" if r.random() < 0.3 else ""
        return tag(f"for i in {r.choice(['l', 'w', 'users', 'mixed', 'empty', 's', 'range(3)', 'd', 'missing', 'n', 'l[::-1]', 'd.items()'])}{where}") + gap() + jump + "{{ " + loop + " }}" + body() + (tag("else") + body() if r.random() < 0.3 else "") + tag("endfor")
    if kind == 3:
        return tag(f"set {r.choice(['v', 'v', 'vv'])} = {expression(r, 1)}") + gap() + "{{ v }}{{ n }}"
    if kind == 4:
        return tag("set ns = namespace(a=1, found=false)") + tag("for i in l") + tag("set ns.a = ns.a + i") + tag("set n = i") + gap() + tag("endfor") + "{{ ns.a }}{{ n }}"
    if kind == 5:
        return tag("set v") + body() + tag("endset") + "[{{ v }}]"
    if kind == 6:
        return tag("macro mac(a, b=2, c=none)") + gap() + "{{ a }}{{ b }}{{ c }}" + body() + tag("endmacro") + "{{ mac(" + r.choice(["", "1", "1, c=3", "a=s, b=n", "1, 2, 3", "1, 2, 3, 4", "q=1", "*l"]) + ") }}"
    if kind == 7:
        return r.choice(["{#", "{#-"]) + r.choice([" comment ", "\n c\n"]) + r.choice(["#}", "-#}"]) + gap() + out()
    if kind == 8:
        return tag("generation") + body() + tag("endgeneration")
    if kind == 9:
        return r.choice([tag("raw") + "{{ x }}\n" + tag("endraw"), tag("filter upper") + body() + tag("endfilter"), tag(f"with v = {atom(r)}, y = 2") + "{{ v }}{{ y }}" + tag("endwith"),
                         tag("for a, b in d.items()") + "{{ a }}={{ b }};" + tag("endfor"), tag("set a, b = 1, 2") + "{{ a }}{{ b }}"])
    return out()


def templates(seed, count):
    r = random.Random(seed)
    for i in range(count):
        yield "{{ " + expression(r, r.choice([1, 2, 2, 3])) + " }}" if i % 3 else "".join(r.choice(["", "\n", "a ", " \n"]) + statement(r, r.choice([0, 1, 2])) for _ in range(r.randrange(1, 3))) + r.choice(["", "\n", "\n\n"])
