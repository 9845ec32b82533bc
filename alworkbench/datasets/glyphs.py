"""`glyphs`: letters and digits in the text fonts of matplotlib, turned, shifted and noisy.

A letter whose capital is a larger copy of the small letter is one class, and so are O and 0, and I and
l: the scale of a picture is not known, so no annotator could tell them apart.
"""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from alworkbench.core.domain import LabelClass
from alworkbench.core.progress import Progress
from alworkbench.datasets.cards import DatasetCard
from alworkbench.datasets.generated import draw_collection, expose
from alworkbench.datasets.labelled_images import POOL, TEST, Collection, CollectionImages

SIDE = 28
FINER = 4
"""Factor by which a glyph is drawn larger before it is averaged down."""
POOL_PER_CLASS, TEST_PER_CLASS = 113, 38
LARGEST_TURN = 20.0  # degrees: small enough that a 6 does not become a 9
LARGEST_SHIFT = 2.5  # pixels
SIZES = (18, 20, 22, 24, 26)
"""Font sizes, in pixels of the picture."""

FONTS = (
    *(f"DejaVuSans{style}.ttf" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}.ttf" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}.ttf" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}.ttf" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10.ttf" for style in ("r", "b", "ss", "ti", "tt")),
)

DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ALIKE = "csvwxz"
"""Letters whose small form is a smaller copy of the capital."""


def _classes() -> dict[str, str]:
    """Class name -> its characters."""
    found = {"letter O or digit zero": "Oo0", "capital letter I or small letter L": "Il"}
    found |= {f"letter {letter.upper()}": letter + letter.upper() for letter in ALIKE}
    taken = set("".join(found.values()))
    found |= {f"capital letter {c}": c for c in string.ascii_uppercase if c not in taken}
    found |= {f"small letter {c.upper()}": c for c in string.ascii_lowercase if c not in taken}
    found |= {f"digit {DIGIT_NAMES[int(c)]}": c for c in string.digits if c not in taken}
    return found


CLASSES = _classes()
TEMPLATES = ("a picture of the {}.", "an image of the {}.", "the printed {}.")
_CHARACTERS = tuple(CLASSES.values())


@cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", file), size)


def draw_glyph(generator: np.random.Generator, label: int) -> UInt8[np.ndarray, "28 28"]:
    """One picture of a class."""
    characters = _CHARACTERS[label]
    character = characters[generator.integers(len(characters))]
    size = FINER * SIZES[generator.integers(len(SIZES))]
    font = _font(FONTS[generator.integers(len(FONTS))], size)
    side = FINER * SIDE
    canvas = Image.new("L", (side, side))
    left, top, right, bottom = font.getbbox(character)
    x, y = (side - left - right) / 2, (side - top - bottom) / 2
    ImageDraw.Draw(canvas).text((x, y), character, fill=255, font=font)
    turn = generator.uniform(-LARGEST_TURN, LARGEST_TURN)
    shift = FINER * generator.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, size=2)
    turned = canvas.rotate(turn, Image.Resampling.BILINEAR, translate=tuple(shift.round().tolist()))
    fine = np.asarray(turned, dtype=np.float64) / 255
    picture = fine.reshape(SIDE, FINER, SIDE, FINER).mean(axis=(1, 3))
    return expose(generator, picture, least_contrast=0.5, noise=16.0)


def _draw(seed: int, progress: Progress) -> CollectionImages:
    classes = len(CLASSES)
    return draw_collection(
        seed, [POOL_PER_CLASS] * classes, [TEST_PER_CLASS] * classes, draw_glyph, progress
    )


GLYPHS = Collection(
    DatasetCard(
        name="glyphs",
        source="Drawn from the fonts of matplotlib: DejaVu, STIX and Computer Modern (BaKoMa)",
        licence="The pictures: Apache-2.0, as this program; the fonts: their own free licences",
        classes=tuple(LabelClass(name, TEMPLATES) for name in CLASSES),
        sizes={
            POOL: dict.fromkeys(CLASSES, POOL_PER_CLASS),
            TEST: dict.fromkeys(CLASSES, TEST_PER_CLASS),
        },
        imbalance=1.0,
        purpose="Many classes of a domain that the bundled model never saw",
        role="dev",
    ),
    summary="Letters and digits in 21 fonts, turned, shifted, inverted and noisy",
    recipe=1,
    draw=_draw,
)
