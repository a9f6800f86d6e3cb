#!/usr/bin/env python3
"""Makes the font files beside it from Inter 3.19, as Debian's package fonts-inter has it:

    pip install fonttools
    gui-client/assets/fonts/subset.py /usr/share/fonts/opentype/inter

Left out are what the window never shows (private characters, other styles of letters) and the feature `calt`, which draws
an arrow where a person wrote "->". Figures of equal width are a font of their own, since epaint 0.37 cannot switch a
feature on.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent

# Latin with its extensions, phonetics, combining marks, Greek, Cyrillic, punctuation, sub- and superscripts, currencies,
# letter-like symbols, fractions, arrows, and the mathematical and technical signs that Inter has. No dingbats: the heart and
# the warning sign are left to the emoji.
RANGES = [
    (0x20, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x1E00, 0x1FFF), (0x2000, 0x206F),
    (0x2070, 0x209F), (0x20A0, 0x20CF), (0x2100, 0x218F), (0x2190, 0x21FF), (0x2200, 0x23FF), (0x25A0, 0x25FF),
    (0x2713, 0x2717),
]
TABULAR = " +-./0123456789:%\u2013\u2212"


def cut(font: TTFont, codes: list[int], features: list[str], path: Path) -> None:
    options = subset.Options()
    options.layout_features = features
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.notdef_outline = True
    options.hinting = True
    options.desubroutinize = False
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    draw_missing(font)
    font.save(path)
    print(path.name, path.stat().st_size)


def draw_missing(font: TTFont) -> None:
    """Draws the glyph of missing characters as an empty box: that of Inter has stripes, which read as a redaction."""
    top_dict = font["CFF "].cff.topDictIndex[0]
    width, height, edge = 1700, 2000, 150
    pen = T2CharStringPen(width + 300, None)
    for left, bottom, right, top in [(150, 0, 150 + width, height), (150 + edge, edge, 150 + width - edge, height - edge)]:
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        # The inner outline runs the other way and so is a hole.
        corners = corners if left == 150 else corners[::-1]
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    before = top_dict.CharStrings[".notdef"]
    top_dict.CharStrings[".notdef"] = pen.getCharString(before.private, before.globalSubrs)
    font["hmtx"][".notdef"] = (width + 300, 150)


def main() -> None:
    source = Path(sys.argv[1])
    codes = [code for first, last in RANGES for code in range(first, last + 1)]
    for weight in ["Regular", "SemiBold"]:
        font = TTFont(source / f"Inter-{weight}.otf")
        cut(font, codes, ["ccmp", "kern", "locl", "mark", "mkmk"], HERE / f"Inter-{weight}.otf")

    font = TTFont(source / "Inter-Regular.otf")
    gsub = font["GSUB"].table
    tabular = {}
    for record in gsub.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for table in gsub.LookupList.Lookup[index].SubTable:
                    tabular.update(getattr(table, "ExtSubTable", table).mapping)
    for table in font["cmap"].tables:
        for char in TABULAR:
            glyph = table.cmap.get(ord(char))
            if glyph in tabular:
                table.cmap[ord(char)] = tabular[glyph]
    cut(font, [ord(char) for char in TABULAR], [], HERE / "Inter-Tabular.otf")


main()
