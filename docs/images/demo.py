#!/usr/bin/env python3
"""Draws docs/images/demo.svg from the recorded output of a run of the demo.

    script -qfc 'stty cols 118; ./fovea demo' demo.log
    python3 docs/images/demo.py demo.log docs/images/demo.svg

A small terminal replays the recording. The picture shows rows of its screen as they were printed, at two moments: in the middle of the second training, and
at the end. What lies between the rows shown is marked by dots. Colours are those of the recording; nothing is added but the command and the dots.
"""
import re
import sys
from collections import defaultdict
from xml.sax.saxutils import escape

# Moments of the recording: where replaying stops (None: at its end), and the first and last row to show of each part of the screen.
MOMENTS = [
    (r"84/120", [(r"^1/5 ", r"^  6000 for training"), (r"^4/5 ", r"elapsed")]),
    (None, [(r"^5/5 ", r"answer: cherry"), (r"^  time ", r"^  time ")]),
]
COMMAND = "./fovea demo"
SIZE, WIDTH, HEIGHT, MARGIN = 14, 8.4, 18, 18
BACK, FORE, DIM, PROMPT = "#0d1117", "#d5dbe1", "#8b949e", "#3fb950"
BASIC = ["#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
         "#8b949e", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc"]


def colour(number):
    """Of xterm's 256."""
    if number < 16:
        return BASIC[number]
    if number > 231:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    levels = [0, 95, 135, 175, 215, 255]
    number -= 16
    return "#" + "".join(f"{levels[n]:02x}" for n in (number // 36, number // 6 % 6, number % 6))


def replay(recording, until):
    """The screen with everything that scrolled off it: rows of (character, foreground, background, bold)."""
    if until:
        recording = recording[:recording.index("elapsed", re.search(until, recording).end()) + len("elapsed")]  # the live view has two lines
    rows, row, column, style = [[]], 0, 0, (None, None, False)
    for token in re.finditer(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[=>]|\r|\n|[^\x1b\r\n]", recording):
        text, kind = token.group(0), token.group(2)
        if text == "\r":
            column = 0
        elif text == "\n":
            row += 1
            if row == len(rows):
                rows.append([])
        elif kind == "A":
            row = max(0, row - int(token.group(1) or 1))
        elif kind == "K":
            rows[row] = []
        elif kind == "m":
            style = styled(style, [int(n or 0) for n in token.group(1).split(";")])
        elif kind is None and text[0] != "\x1b":
            rows[row] += [(" ", None, None, False)] * (column + 1 - len(rows[row]))
            rows[row][column] = (text, *style)
            column += 1
    return rows


def styled(style, codes):
    fore, back, bold = style
    while codes:
        code = codes.pop(0)
        if code == 0:
            fore, back, bold = None, None, False
        elif code == 1:
            bold = True
        elif code in (38, 48):
            chosen, codes = colour(codes[1]), codes[2:]
            fore, back = (chosen, back) if code == 38 else (fore, chosen)
        else:
            raise ValueError(f"the recording has style {code}, which is not drawn yet")
    return fore, back, bold


def plain(row):
    return "".join(cell[0] for cell in row)


def part(rows, first, last):
    start = next(i for i, row in enumerate(rows) if re.search(first, plain(row)))
    end = next(i for i in range(start, len(rows)) if re.search(last, plain(rows[i])) and not re.search(r"^0:00:00", plain(rows[i])))
    return rows[start:end + 1]


def text(column, line, words, fore, bold=False):
    weight = ' font-weight="bold"' if bold else ""
    return (f'<text x="{MARGIN + column * WIDTH:g}" y="{MARGIN + line * HEIGHT + SIZE:g}" textLength="{len(words) * WIDTH:g}" '
            f'fill="{fore}"{weight}>{escape(words)}</text>')


def drawn(lines):
    out, blocks = [], defaultdict(list)
    for line, row in enumerate(lines):
        column = 0
        while column < len(row):
            cell = row[column]
            end = column + 1
            while end < len(row) and row[end][1:] == cell[1:] and (row[end][0] == "▀") == (cell[0] == "▀"):
                end += 1
            words = "".join(c[0] for c in row[column:end])
            if cell[0] == "▀":
                for half, fill in enumerate(cell[1:3]):
                    blocks[fill, line * 2 + half].append((column, end - column))
            else:
                shown = words.strip()
                if shown:
                    out.append(text(column + len(words) - len(words.lstrip()), line, shown, cell[1] or FORE, cell[3]))
            column = end
    return out + list(pictures(blocks))


def pictures(blocks):
    """Half blocks, two of which make a character: one path for each colour, in columns and half lines."""
    paths = defaultdict(list)
    for (fill, y), spans in blocks.items():
        for x, length in spans:
            before = paths[fill][-1] if paths[fill] else None
            if before and before[1] == y and before[0] + before[2] == x:
                paths[fill][-1] = (before[0], y, before[2] + length)
            else:
                paths[fill].append((x, y, length))
    yield f'<g transform="translate({MARGIN} {MARGIN}) scale({WIDTH} {HEIGHT / 2:g})" shape-rendering="crispEdges">'
    for fill, spans in paths.items():
        yield f'<path fill="{fill}" d="' + "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in spans) + '"/>'
    yield "</g>"


def main(log, target):
    with open(log, encoding="utf-8", newline="") as file:
        recording = file.read()
    dots = [("⋯", DIM, None, False)]
    lines = [[("$", PROMPT, None, False), (" ", None, None, False)] + [(c, None, None, True) for c in COMMAND]]
    first = True
    for until, parts in MOMENTS:
        rows = replay(recording, until)
        for start, end in parts:
            lines += ([] if first else [dots]) + part(rows, start, end)
            first = False
    width = 2 * MARGIN + max(len(plain(row).rstrip()) for row in lines) * WIDTH
    height = 2 * MARGIN + len(lines) * HEIGHT
    with open(target, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-size="{SIZE}" '
                   f'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" xml:space="preserve">\n'
                   f'<title>A terminal running {COMMAND}</title>\n<rect width="{width:g}" height="{height:g}" rx="8" fill="{BACK}"/>\n'
                   + "\n".join(drawn(lines)) + "\n</svg>\n")


main(*sys.argv[1:])
