"""Decoded pixels of any kind as upright 8-bit RGB.

Transparency is laid on white. Pillow's formulas convert CMYK and Lab. Embedded colour profiles are ignored,
as vision models ignore them. What needs much memory for each pixel is done in strips of rows.

Dimensions used in this file
    H  rows
    W  columns
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.Image import Transpose

from alworkbench.core.domain import QuarantineCode
from alworkbench.inputs.undecodable import Undecodable

STRIP = 1 << 20
"""Pixels of a strip."""
MOST = 65535
"""The largest value of 16 bits."""
ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def orientation(picture: PIL.Image.Image) -> int:
    """1 to 8. Call it after decoding: Pillow then has turned a TIFF itself and dropped the tag."""
    try:
        found = picture.getexif().get(ORIENTATION)
    except Exception:  # unreadable EXIF gives no orientation
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright(picture: PIL.Image.Image, turn: int) -> PIL.Image.Image:
    """The picture turned as its orientation, 1 to 8, says."""
    return picture if turn == 1 else picture.transpose(UPRIGHT[turn])


def to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Pixels of 8 bits, of 32 bits or of floating point as RGB. Raises Undecodable."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_wide(picture)
    if picture.mode == "La" or picture.has_transparency_data:
        return _in_strips(picture, _on_white)
    if picture.mode == "RGB":
        return picture
    try:
        return picture.convert("RGB")
    except (ValueError, OSError) as error:
        raise Undecodable(
            QuarantineCode.UNIDENTIFIED, f"pixels have the unsupported mode {picture.mode}"
        ) from error


def to_rgba(picture: PIL.Image.Image) -> PIL.Image.Image:
    """As `to_rgb`, and RGBA where a pixel is transparent: laid on white, it has the colours of `to_rgb`.

    Raises Undecodable.
    """
    if picture.mode.startswith("I") or picture.mode == "F":
        return to_rgb(picture)
    if not (picture.mode == "La" or picture.has_transparency_data):
        return to_rgb(picture)
    made = picture if picture.mode == "RGBA" else _in_strips(picture, _with_alpha, "RGBA")
    least, _ = made.getchannel("A").getextrema()
    return made.convert("RGB") if least == 255 else made


def grey_with_white(picture: PIL.Image.Image, white: int) -> PIL.Image.Image:
    """Grey values of 16 bits as RGB; `white` and all above it become 255."""
    table = scale(white)
    return _in_strips(
        picture, lambda strip: PIL.Image.fromarray(table[_values(strip)]).convert("RGB")
    )


def colours_with_white(high: PIL.Image.Image, low: PIL.Image.Image, white: int) -> PIL.Image.Image:
    """Colours of 16 bits, given as their high and their low bytes, as 8 bits of the same mode."""
    table = scale(white)
    made = PIL.Image.new(high.mode, high.size)
    for box in _strips(high):
        values = np.asarray(high.crop(box)).astype(np.uint16) << 8 | np.asarray(low.crop(box))
        made.paste(PIL.Image.fromarray(table[values]), box[:2])
    return made


def scale(white: int) -> NDArray[np.uint8]:
    """For each value of 16 bits its 8 bits: 65,536 numbers, with 255 from `white` on."""
    values = np.arange(MOST + 1, dtype=np.float32) * (255.0 / white)
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)


def brightest(picture: PIL.Image.Image) -> int:
    """The largest value of a grey picture of 16 bits."""
    return max(int(_values(picture.crop(box)).max()) for box in _strips(picture))


def holds_only_multiples(picture: PIL.Image.Image, of: int) -> bool:
    """Whether every value of a grey picture of 16 bits is a multiple of this number."""
    return not any((_values(picture.crop(box)) % of).any() for box in _strips(picture))


# ------------------------------------------------------------------------------------------- strips


def _strips(picture: PIL.Image.Image) -> Iterator[tuple[int, int, int, int]]:
    rows = max(1, STRIP // picture.width)
    for top in range(0, picture.height, rows):
        yield 0, top, picture.width, min(picture.height, top + rows)


def _in_strips(
    picture: PIL.Image.Image,
    convert: Callable[[PIL.Image.Image], PIL.Image.Image],
    mode: str = "RGB",
) -> PIL.Image.Image:
    made = PIL.Image.new(mode, picture.size)
    for box in _strips(picture):
        made.paste(convert(picture.crop(box)), box[:2])
    return made


def _with_alpha(strip: PIL.Image.Image) -> PIL.Image.Image:
    return (strip.convert("LA") if strip.mode == "La" else strip).convert("RGBA")


def _on_white(strip: PIL.Image.Image) -> PIL.Image.Image:
    white = PIL.Image.new("RGBA", strip.size, (255, 255, 255, 255))
    return PIL.Image.alpha_composite(white, _with_alpha(strip)).convert("RGB")


def _values(strip: PIL.Image.Image) -> NDArray[np.uint16]:
    """H W, values of 16 bits in the order of bytes of this machine."""
    return np.asarray(strip).astype(np.uint16)


def _from_wide(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of 32 bits or floating point, where there is no fixed white.

    The smallest range that holds all values is used: 0 to 1, 0 to 255, 0 to 65,535 (integers only), otherwise
    the darkest to the brightest value of the picture.
    """
    low, high = np.inf, -np.inf
    for box in _strips(picture):
        values = np.asarray(picture.crop(box)).astype(np.float32)
        if not np.isfinite(values).all():
            raise Undecodable(QuarantineCode.NONFINITE, "pixels are infinite or not a number")
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low >= 0 and high <= 1 and picture.mode == "F":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= MOST and picture.mode == "I":
        low, high = 0.0, float(MOST)
    by = 255.0 / (high - low) if high > low else 0.0

    def grey(strip: PIL.Image.Image) -> PIL.Image.Image:
        scaled = (np.asarray(strip).astype(np.float32) - low) * by
        shades = np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)
        return PIL.Image.fromarray(shades).convert("RGB")

    return _in_strips(picture, grey)
