"""From the bytes of a file to one decoded picture, upright, in RGB.

No file is trusted. The header is read first: size, scans and memory are checked before any pixel is
decoded. A file that ends early is refused, and every error of a decoder becomes a quarantine code.
"""

from __future__ import annotations

import io
import sys
import warnings
from dataclasses import dataclass, replace
from typing import Any

import PIL.Image
from PIL.JpegImagePlugin import jpeg_factory

from alworkbench.core.domain import Depth, QuarantineCode
from alworkbench.inputs import decode_limits as limits
from alworkbench.inputs.formats import formats
from alworkbench.inputs.jpeg_scans import count_scans
from alworkbench.inputs.pixels import (
    MOST,
    colours_with_white,
    grey_with_white,
    orientation,
    to_rgb,
    to_rgba,
    upright,
)
from alworkbench.inputs.undecodable import Undecodable
from alworkbench.inputs.white_point import colour_depth, grey_depth, stated_white

# Pillow says of a bomb between one and two times its own limit no more than a warning, and warns of
# odd metadata; what may be read is decided here, and metadata beside the orientation is not used.
warnings.filterwarnings("error", category=PIL.Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

JPEG = b"\xff\xd8\xff"
REDUCTIONS = (1, 2, 4, 8)
"""A JPEG can be decoded at one of these parts of its size."""


@dataclass(frozen=True, slots=True)
class Read:
    """A decoded picture."""

    rgb: PIL.Image.Image
    """Upright, 8 bits; RGBA where transparency was asked for and there is some."""
    depth: Depth | None
    """Of a file with 16 bits for each value."""
    turned: bool = False
    """Whether width and height are those of the file the other way round."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture of which only the header was read."""

    picture: PIL.Image.Image
    data: bytes
    reduced: bool
    """Whether it will be decoded at a part of its size, because it is too large."""
    memory: int
    """Bytes that decoding takes; see `decode_limits.room_for`."""
    size: tuple[int, int]
    """Width and height of the file, in pixels, as it is stored."""

    def reduced_to(self, width: int, height: int) -> Opened:
        """The same picture, of a JPEG to be decoded at its smallest part that is no smaller than this."""
        if self.reduced or self.picture.draft(None, (width, height)) is None:
            return self
        size = self.size[0] * self.size[1]
        return replace(self, memory=limits.memory_needed(self.picture, size, len(self.data)))

    def read(self, white: int | None = None, *, transparent: bool = False) -> Read:
        """Decode all of it. `white` counts for files of 16 bits that do not say what is white.

        Transparency is laid on white, or with `transparent` kept. Raises Undecodable.
        """
        picture = self.picture
        wide_colours = _wide_colours(picture)
        stated = stated_white(picture, self.data)
        stored = picture.size
        _load(picture)
        turn = orientation(picture)
        turned = turn >= 5 or picture.size != stored  # Pillow turns a TIFF while it decodes
        depth = None
        if wide_colours:
            depth = colour_depth(picture, stated, white)
            if depth.white < MOST:
                picture = colours_with_white(picture, self._low_bytes(), depth.white)
        elif picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
            depth = grey_depth(picture, stated, white)
            picture = grey_with_white(picture, depth.white)
        converted = to_rgba(picture) if transparent else to_rgb(picture)
        return Read(upright(converted, turn), depth, turned)

    def _low_bytes(self) -> PIL.Image.Image:
        again: Any = _header(self.data)
        again.tile = [_for_low_bytes(tile) for tile in again.tile]
        _load(again)
        return again


def open_picture(data: bytes) -> Opened:
    """Read the header and check what decoding would cost.

    Raises Undecodable with the code `unidentified` (no picture of a known format) or `bomb` (too large).
    """
    picture = _header(data)
    width, height = picture.size
    if data.startswith(JPEG):
        scans = count_scans(data)
        if scans * width * height > limits.MAX_SCANNED:
            raise Undecodable(
                QuarantineCode.BOMB,
                f"{scans:,} scans of {width} x {height} pixels take too long to decode",
            )
    reduced = _reduce(picture, len(data))
    pixels = picture.width * picture.height
    if pixels > limits.MAX_PIXELS:
        found = f"{width} x {height} pixels, and the limit is {limits.MAX_PIXELS:,}"
        raise Undecodable(QuarantineCode.BOMB, found)
    memory = limits.memory_needed(picture, width * height, len(data))
    if _wide_colours(picture):
        memory += 8 * pixels  # the low bytes, and both together
    if memory > limits.MAX_MEMORY:
        raise Undecodable(
            QuarantineCode.BOMB,
            f"{width} x {height} pixels take {memory / 1e6:,.0f} MB to decode, and the limit is "
            f"{limits.MAX_MEMORY / 1e6:,.0f} MB",
        )
    return Opened(picture, data, reduced, memory, (width, height))


def _header(data: bytes) -> PIL.Image.Image:
    """Decoders raise many kinds of errors; all are caught: those seen on Pillow's collection of damaged files
    by name, and any other kind too."""
    try:
        if data.startswith(JPEG):
            # Pillow's own limit of pixels does not know that a JPEG can be decoded at a part of its size.
            return jpeg_factory(io.BytesIO(data))
        return PIL.Image.open(io.BytesIO(data), formats=tuple(formats()))
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise Undecodable(QuarantineCode.BOMB, _first_line(error)) from error
    except Exception as error:
        what = "the file is empty" if not data else f"no picture in {', '.join(formats())}"
        raise Undecodable(QuarantineCode.UNIDENTIFIED, what) from error


def _reduce(picture: PIL.Image.Image, file_bytes: int) -> bool:
    """Set a JPEG that is too large to the largest part of its size that is not; whether that was needed."""
    width, height = picture.size
    fitting = 1
    if picture.format in ("JPEG", "MPO"):
        held = limits.memory_needed(picture, 0, file_bytes) / (width * height)
        for fitting in REDUCTIONS:
            left = width * height / fitting**2
            if left <= limits.MAX_PIXELS and held * left <= limits.MAX_MEMORY:
                break
        if fitting > 1:
            picture.draft(None, (width // fitting, height // fitting))
    return fitting > 1


def _load(picture: PIL.Image.Image) -> None:
    try:
        picture.load()
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise Undecodable(QuarantineCode.BOMB, _first_line(error)) from error
    except MemoryError as error:
        raise Undecodable(QuarantineCode.BOMB, "it does not fit into memory") from error
    except Exception as error:
        raise Undecodable(QuarantineCode.TRUNCATED, _first_line(error)) from error


def _wide_colours(picture: PIL.Image.Image) -> bool:
    """Whether an opened picture has colours of 16 bits, of which Pillow keeps the high bytes only.

    Call it before decoding. Colours in separate planes are not among them.
    """
    if picture.mode not in ("RGB", "RGBA"):
        return False
    modes = [_raw_mode(tile) for tile in getattr(picture, "tile", [])]
    return bool(modes) and all(";16" in mode for mode in modes)


def _raw_mode(tile: Any) -> str:
    """How a decoder of Pillow is told to read the values, such as `RGB;16B`."""
    found = tile.args if isinstance(tile.args, str) else next(iter(tile.args or ()), "")
    return found if isinstance(found, str) else ""


def _for_low_bytes(tile: Any) -> Any:
    """The tile with the order of bytes reversed, so that the low bytes are kept. N is this machine's
    order."""
    mode = _raw_mode(tile)
    little = mode[-1] == "L" or (mode[-1] == "N" and sys.byteorder == "little")
    other = mode[:-1] + ("B" if little else "L")
    return tile._replace(args=other if isinstance(tile.args, str) else (other, *tile.args[1:]))


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
