"""Writes NormalizationTables.cs from Python's own Unicode database. usage: make_unicode_tables.py > NormalizationTables.cs
Decompositions: hex `code=parts` (recomposed by NFC) or `code>parts` (not). Combining classes: hex `first[-last]:class`."""
import sys
import unicodedata as u


def lines(items, width=140):
    line = ""
    for item in items:
        if len(line) + len(item) + 1 > width:
            yield line
            line = ""
        line += item + " "
    yield line


decompositions, classes, first = [], [], None
for cp in range(0x110000):
    parts = u.decomposition(chr(cp))
    if parts and not parts.startswith("<"):
        back = u.normalize("NFC", u.normalize("NFD", chr(cp))) == chr(cp)
        decompositions.append("%X%s%s" % (cp, "=" if back else ">", "+".join("%X" % int(p, 16) for p in parts.split())))
runs = []
for cp in range(0x110000):
    ccc = u.combining(chr(cp))
    if ccc and runs and runs[-1][1] == cp - 1 and runs[-1][2] == ccc:
        runs[-1][1] = cp
    elif ccc:
        runs.append([cp, cp, ccc])
classes = ["%X:%d" % (a, c) if a == b else "%X-%X:%d" % (a, b, c) for a, b, c in runs]

print("namespace Fovea.Data.Tokenizers;\n")
print("/// <summary>Canonical decompositions and combining classes of Unicode %s; written by make_unicode_tables.py." % u.unidata_version)
print("/// They are here because .NET leaves non-ASCII text as it is under InvariantGlobalization.</summary>")
print("internal static class NormalizationTables\n{")
for name, items, doc in (("Decompositions", decompositions, "Hex <c>code=parts</c> where NFC composes the parts again, <c>code&gt;parts</c> where not."),
                         ("CombiningClasses", classes, "Hex <c>first[-last]</c>, decimal class.")):
    print("    /// <summary>%s</summary>" % doc)
    print("    internal const string %s =" % name)
    rows = list(lines(items))
    for i, row in enumerate(rows):
        print('        "%s"%s' % (row if i < len(rows) - 1 else row.strip(), ";" if i == len(rows) - 1 else " +"))
    print("" if name == "Decompositions" else "}")
