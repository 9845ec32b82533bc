"""From the bytes of a file to one picture. The model and the screen get exactly the same pixels.

The picture is the first frame, turned upright once by its EXIF orientation, with transparency on white,
as 8-bit RGB. `decoding` says how a file is read that is not trusted, `decode_limits` what it may cost.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from alworkbench.core.domain import Depth, QuarantineCode
from alworkbench.inputs.decode_limits import MAX_BYTES, room_for
from alworkbench.inputs.decoding import open_picture
from alworkbench.inputs.pixels import orientation
from alworkbench.inputs.undecodable import Undecodable as Undecodable

HASH_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known about a readable file."""

    hash: str
    bytes: int
    width: int
    height: int
    """Size of the upright picture, in pixels. A JPEG that is too large has the size that it is decoded at."""
    depth: Depth | None = None
    """Of a file with 16 bits for each value."""


@dataclass(frozen=True, slots=True)
class DisplayImage:
    """An image file for a browser."""

    media_type: str
    data: bytes


def content_hash(data: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file of any size; holds 1 MiB of it in memory. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_bytes(path: Path) -> bytes:
    """The bytes of the file. It is read once, so hash and pixels belong together. Raises Undecodable."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Undecodable(QuarantineCode.IO, error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        raise Undecodable(QuarantineCode.BOMB, f"the file has more than {MAX_BYTES:,} bytes")
    return data


def read_image(source: bytes | Path, white: int | None = None) -> PIL.Image.Image:
    """The picture as the model sees it: upright 8-bit RGB.

    `white` counts for files of 16 bits that do not say what is white. Raises Undecodable with the code
    `unidentified` (no picture of a known format), `truncated` (it begins like one and cannot be decoded to
    its end), `bomb` (too large), `nonfinite` (floating point pixels that are not numbers) or `io` (the file
    cannot be read).
    """
    opened = open_picture(source if isinstance(source, bytes) else read_bytes(source))
    with room_for(opened.memory):
        return opened.read(white).rgb


def inspect_file(path: Path, white: int | None = None, *, large_too: bool = True) -> Inspection:
    """Decode the file once; return its hash and size.

    Raises Undecodable; without `large_too` also LargePicture, see `decode_limits.room_for`.
    """
    data = read_bytes(path)
    opened = open_picture(data)
    with room_for(opened.memory, large_too=large_too):
        found = opened.read(white)
        size = found.rgb.size
    return Inspection(content_hash(data), len(data), *size, found.depth)


def display(source: bytes | Path, white: int | None = None) -> DisplayImage:
    """The pixels of `read_image` for a browser. Raises Undecodable.

    This is the file itself if a browser shows the same pixels, otherwise a lossless PNG.
    """
    opened = open_picture(source if isinstance(source, bytes) else read_bytes(source))
    with room_for(opened.memory):
        rgb = opened.read(white).rgb
        if not opened.reduced and is_shown_as_it_is(opened.picture, opened.data):
            return DisplayImage(PIL.Image.MIME[opened.picture.format or ""], opened.data)
        return png_of(rgb)


# --------------------------------------------------------------------------------------- displaying


def is_shown_as_it_is(
    picture: PIL.Image.Image, data: bytes, *, transparent: bool = False, turned: bool = False
) -> bool:
    """Whether a browser decodes these bytes to exactly the pixels of `read_image`.

    With `transparent`, also if it does so where the page lays transparency on white. With `turned`, also if
    it turns a JPEG upright by its EXIF orientation, as all browsers do since 2020.
    """
    modes = ("RGB", "L", "RGBA", "LA") if transparent else ("RGB", "L")
    plain = (
        picture.format in ("JPEG", "PNG", "WEBP")
        and picture.mode in modes
        and (transparent or not picture.has_transparency_data)
        and not getattr(picture, "is_animated", False)
        and (orientation(picture) == 1 or (turned and picture.format == "JPEG"))
        and _is_srgb(picture)
    )
    # The 25th byte of a PNG is its bit depth. Above 8 bits, browsers and Pillow round differently.
    return plain and not (picture.format == "PNG" and data[24] != 8)


def _is_srgb(picture: PIL.Image.Image) -> bool:
    """Whether a browser keeps the colours: there is no profile, or one that changes nothing."""
    profile = picture.info.get("icc_profile")
    if profile:
        return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile
    return not {"gamma", "chromaticity"} & picture.info.keys()


def png_of(picture: PIL.Image.Image) -> DisplayImage:
    """A PNG of these pixels alone."""
    buffer = io.BytesIO()
    picture.info = {}  # the PNG must not carry a colour profile or an orientation
    picture.save(buffer, "PNG", compress_level=3)
    return DisplayImage("image/png", buffer.getvalue())
