"""Renditions: a picture at the sizes that screens need, with the pixels that the model sees.

A rendition of side S has at most S x S pixels, in the shape of the picture. The number of pixels is
limited, not the long side: with a long side of 256, a picture of 60 x 3000 would be 5 pixels wide and show
nothing. With 256 x 256 pixels it is 36 x 1811, costs a browser as much as any other, and can be read. A
picture is never enlarged. Transparency is kept: laid on white, it gives the pixels that the model sees.

The same file gives the same bytes. A rendition that is smaller than its picture is a JPEG, or with
transparency a PNG; otherwise it is the file itself where a browser shows the same pixels, or a PNG.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import PIL.Image

from alworkbench.inputs.decode_limits import room_for
from alworkbench.inputs.decoding import open_picture
from alworkbench.inputs.picture import DisplayImage, is_shown_as_it_is, png_of

RECIPE = 1
"""Number of the way in which renditions are made. Raise it whenever their bytes change."""
LONGEST = 16_383
"""Longest side in pixels: graphics cards hold no longer one as one texture."""
FINER = 1.5
"""A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that is still so many times the size of the
rendition. On a 12-megapixel file this changes values by 0.6 of 255 on average at most, and the JPEG that is
written by 0.9 to 3.7 (`python -m tests.bench renditions`)."""
COARSER = 3.0
"""Before the exact filter, whole blocks of pixels are averaged to so many times the size of the rendition."""


@dataclass(frozen=True, slots=True)
class JpegQuality:
    """How much a JPEG keeps."""

    quality: int
    subsampling: str


SIDES = {
    256: JpegQuality(85, "4:2:0"),
    1024: JpegQuality(90, "4:4:4"),
    2048: JpegQuality(90, "4:4:4"),
}
"""The sides that there are: for a grid, for a desk, and for a large desk or one with two pixels to one."""
THUMBNAIL, DESK, LARGE = SIDES


def rendition_size(width: int, height: int, side: int | None) -> tuple[int, int]:
    """Width and height of the rendition of a picture; `side` None is the full size.

    At most side x side pixels, up to rounding, no side over LONGEST, none under 1, never enlarged.
    """
    if side is None:
        return width, height
    scale = min(1.0, side / (width * height) ** 0.5, LONGEST / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def make_rendition(
    data: bytes, side: int | None, white: int | None = None
) -> tuple[DisplayImage, bool]:
    """The rendition of a file's bytes, and whether it is the file itself.

    `side` is one of SIDES, or None for the full size. `white` counts for files of 16 bits that do not say
    what is white. Raises Undecodable, ValueError.
    """
    if side is not None and side not in SIDES:
        raise ValueError(f"the side {side} is not one of {', '.join(map(str, SIDES))}")
    whole = open_picture(data)
    size = rendition_size(*whole.picture.size, side)
    shrinks = size != whole.picture.size
    opened = whole.reduced_to(*(round(FINER * each) for each in size)) if shrinks else whole
    with room_for(opened.memory):
        read = opened.read(white, transparent=True)
        if shrinks:
            return _shrunk(read.rgb, size[::-1] if read.turned else size, side), False
        itself = is_shown_as_it_is(whole.picture, data, transparent=True, turned=True)
        if itself and not whole.reduced:
            return DisplayImage(PIL.Image.MIME[whole.picture.format or ""], data), True
        return png_of(read.rgb), False


def media_type(data: bytes) -> str | None:
    """The media type of a rendition by its first bytes; None for anything else."""
    kinds = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
    return next((kind for begins, kind in kinds.items() if data.startswith(begins)), None)


def _shrunk(picture: PIL.Image.Image, size: tuple[int, int], side: int | None) -> DisplayImage:
    # The Hamming filter has no negative weights: no halo appears that the picture does not have, and laying
    # on white commutes with it.
    small = picture.resize(size, PIL.Image.Resampling.HAMMING, reducing_gap=COARSER)
    if side is None or small.mode == "RGBA":
        return png_of(small)
    buffer, how = io.BytesIO(), SIDES[side]
    small.info = {}
    small.save(buffer, "JPEG", quality=how.quality, subsampling=how.subsampling)
    return DisplayImage("image/jpeg", buffer.getvalue())
