"""From the bytes of a file to one picture: what the model sees, and exactly that on the screen.

Every file is hostile until it was decoded. Six formats are read, the size is checked before a pixel
is, a file that ends early is refused, and whatever a decoder raises becomes a quarantine code.

What "one picture" is: the first frame, turned upright by its EXIF orientation once, transparency on
white, 8-bit RGB. CMYK and Lab become RGB by Pillow's formulas; embedded colour profiles are ignored,
as vision models ignore them.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from PIL.Image import Transpose

from alworkbench.core.domain import QuarantineCode

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
)
MAX_PIXELS = 64_000_000
"""Of one picture: 192 MB as RGB. A camera's 61 MP pass."""
MAX_BYTES = 512 << 20
"""Of one file: 64 MP with four channels of 16 bits, uncompressed."""
HASH_CHUNK = 1 << 20

# Pillow says of a bomb between one and two times its own limit no more than a warning, and warns of
# odd metadata; what may be read is decided here, and metadata beside the orientation is not used.
warnings.filterwarnings("error", category=PIL.Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

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


class Undecodable(Exception):
    """A file is no picture that can be used. For callers that quarantine; no user meets it."""

    def __init__(self, code: QuarantineCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[Undecodable], tuple[QuarantineCode, str]]:
        return Undecodable, (self.code, self.detail)  # it crosses process borders


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a reader needs to know of a file."""

    hash: str
    bytes: int
    width: int
    height: int
    """Of the picture as it is shown, that is upright."""


@dataclass(frozen=True, slots=True)
class DisplayImage:
    """Bytes that a browser shows."""

    media_type: str
    data: bytes


def content_hash(data: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file of any size, 1 MiB of it in memory. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_bytes(path: Path) -> bytes:
    """The file, read once, so that hash and pixels are of the same bytes. Raises Undecodable."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Undecodable(QuarantineCode.IO, error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        raise Undecodable(QuarantineCode.BOMB, f"the file has more than {MAX_BYTES:,} bytes")
    return data


def read_image(source: bytes | Path) -> PIL.Image.Image:
    """The picture as the model sees it: upright 8-bit RGB.

    Raises Undecodable with the code `unidentified` (no picture of a known format), `truncated` (it
    begins like one and cannot be decoded to its end), `bomb` (too large), `nonfinite` (floating
    point pixels that are not numbers) or `io` (the file cannot be read).
    """
    data = source if isinstance(source, bytes) else read_bytes(source)
    return _to_rgb(_upright(_decode(data)))


def inspect_file(path: Path) -> Inspection:
    """Decode a file once and say what it is. Raises Undecodable."""
    data = read_bytes(path)
    picture = read_image(data)
    return Inspection(content_hash(data), len(data), picture.width, picture.height)


def display(source: bytes | Path) -> DisplayImage:
    """The pixels of `read_image` for a browser. Raises Undecodable.

    The file itself where a browser makes the same pixels of it, else a PNG: no loss in either case.
    """
    data = source if isinstance(source, bytes) else read_bytes(source)
    picture = _decode(data)
    if _is_shown_as_it_is(picture, data):
        return DisplayImage(PIL.Image.MIME[picture.format or ""], data)
    return _png(_to_rgb(_upright(picture)))


def thumbnail(path: Path, side: int) -> DisplayImage:
    """The picture within `side` x `side` pixels, never enlarged. Raises Undecodable.

    JPEG with a quality of 90; a picture that is small enough already comes from `display`.
    """
    data = read_bytes(path)
    # A JPEG decodes at a half, a quarter or an eighth for less; twice the size leaves room to scale.
    picture = _to_rgb(_upright(_decode(data, at_least=2 * side)))
    if max(picture.size) <= side:
        return display(path)
    picture.thumbnail((side, side), PIL.Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return DisplayImage("image/jpeg", buffer.getvalue())


# ---------------------------------------------------------------------------------------- decoding


def _decode(data: bytes, at_least: int | None = None) -> PIL.Image.Image:
    """The first frame, decoded to its end. Decoders written over decades raise many things: each
    kind seen on Pillow's own collection of damaged files is caught, and any other kind too."""
    try:
        picture = PIL.Image.open(io.BytesIO(data), formats=FORMATS)
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise Undecodable(QuarantineCode.BOMB, _first_line(error)) from error
    except Exception as error:
        what = "the file is empty" if not data else f"no picture in {', '.join(FORMATS)}"
        raise Undecodable(QuarantineCode.UNIDENTIFIED, what) from error
    if picture.width * picture.height > MAX_PIXELS:
        raise Undecodable(
            QuarantineCode.BOMB,
            f"{picture.width} x {picture.height} pixels, and at most {MAX_PIXELS:,} are read",
        )
    try:
        if at_least is not None:
            picture.draft(None, (at_least, at_least))
        picture.load()
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise Undecodable(QuarantineCode.BOMB, _first_line(error)) from error
    except MemoryError as error:
        raise Undecodable(QuarantineCode.BOMB, "it does not fit into memory") from error
    except Exception as error:
        raise Undecodable(QuarantineCode.TRUNCATED, _first_line(error)) from error
    return picture


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _orientation(picture: PIL.Image.Image) -> int:
    """1 to 8. To be asked after decoding: Pillow turns a TIFF itself then, and drops the tag."""
    try:
        found = picture.getexif().get(ORIENTATION)
    except Exception:  # EXIF that nobody can read orients nothing
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _upright(picture: PIL.Image.Image) -> PIL.Image.Image:
    turn = UPRIGHT.get(_orientation(picture))
    if turn is None:
        return picture
    turned = picture.transpose(turn)
    turned.info = dict(picture.info)  # the transparent colour of a palette stands there
    return turned


def _to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_wide(picture)
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return PIL.Image.alpha_composite(white, picture).convert("RGB")
    try:
        return picture.convert("RGB")
    except (ValueError, OSError) as error:
        raise Undecodable(QuarantineCode.UNIDENTIFIED, f"pixels of mode {picture.mode}") from error


def _from_wide(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of more than 8 bits.

    16 bits: 65,535 is white. 32 bits and floating point have no white of their own, so the range
    that the values keep to decides: 0 to 1, 0 to 255, 0 to 65,535 (integers only), else from the
    darkest value of the picture to its brightest.
    """
    values = np.asarray(picture).astype(np.float32)
    if not np.isfinite(values).all():
        raise Undecodable(QuarantineCode.NONFINITE, "pixels that are infinite or not numbers")
    low, high = float(values.min()), float(values.max())
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 1 and picture.mode == "F":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 65535 and picture.mode == "I":
        low, high = 0.0, 65535.0
    scaled = (values - low) * (255.0 / (high - low) if high > low else 0.0)
    grey = np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)
    return PIL.Image.fromarray(grey).convert("RGB")


# --------------------------------------------------------------------------------------- displaying


def _is_shown_as_it_is(picture: PIL.Image.Image, data: bytes) -> bool:
    """Whether a browser makes of these bytes the very pixels that `read_image` makes."""
    plain = (
        picture.format in ("JPEG", "PNG", "WEBP")
        and picture.mode in ("RGB", "L")
        and not picture.has_transparency_data
        and not getattr(picture, "is_animated", False)
        and _orientation(picture) == 1
        and _is_srgb(picture)
    )
    # The 25th byte of a PNG is its bit depth: of more than 8, browser and Pillow round differently.
    return plain and not (picture.format == "PNG" and data[24] != 8)


def _is_srgb(picture: PIL.Image.Image) -> bool:
    """Whether a browser leaves the colours alone: no profile, or the one that changes nothing."""
    profile = picture.info.get("icc_profile")
    if profile:
        return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile
    return not {"gamma", "chromaticity"} & picture.info.keys()


def _png(picture: PIL.Image.Image) -> DisplayImage:
    buffer = io.BytesIO()
    picture.info = {}  # neither a colour profile nor an orientation may come along
    picture.save(buffer, "PNG", compress_level=3)
    return DisplayImage("image/png", buffer.getvalue())
