"""From the bytes of a file to one picture. The model and the screen get exactly the same pixels.

No file is trusted. Six formats are read. The size is checked before any pixel is decoded, a file that
ends early is refused, and every error of a decoder becomes a quarantine code.

The picture is the first frame, turned upright once by its EXIF orientation, with transparency on white,
as 8-bit RGB. Pillow's formulas convert CMYK and Lab. Embedded colour profiles are ignored, as vision
models ignore them.
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
from alworkbench.inputs.jpeg_scans import count_scans

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
)
MAX_PIXELS = 64_000_000
"""Largest picture, in pixels: 192 MB as RGB. Pictures of a 61 MP camera are below it."""
MAX_BYTES = 512 << 20
"""Largest file, in bytes: 64 MP with four channels of 16 bits, uncompressed."""
MAX_SCANNED = 1_000_000_000
"""Most pixels that the scans of a JPEG may pass over: 15 scans of the largest picture. The progressive
JPEG of a camera or an editor has about 10."""
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
    """The file is not a usable picture. Callers put it into quarantine; a user never sees this error."""

    def __init__(self, code: QuarantineCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[Undecodable], tuple[QuarantineCode, str]]:
        return Undecodable, (self.code, self.detail)  # so that it can be sent between processes


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known about a readable file."""

    hash: str
    bytes: int
    width: int
    height: int
    """Size of the upright picture, in pixels."""


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


def read_image(source: bytes | Path) -> PIL.Image.Image:
    """The picture as the model sees it: upright 8-bit RGB.

    Raises Undecodable with the code `unidentified` (no picture of a known format), `truncated` (it
    begins like one and cannot be decoded to its end), `bomb` (too large), `nonfinite` (floating
    point pixels that are not numbers) or `io` (the file cannot be read).
    """
    data = source if isinstance(source, bytes) else read_bytes(source)
    return _to_rgb(_upright(_decode(data)))


def inspect_file(path: Path) -> Inspection:
    """Decode the file once; return its hash and size. Raises Undecodable."""
    data = read_bytes(path)
    picture = read_image(data)
    return Inspection(content_hash(data), len(data), picture.width, picture.height)


def display(source: bytes | Path) -> DisplayImage:
    """The pixels of `read_image` for a browser. Raises Undecodable.

    This is the file itself if a browser shows the same pixels, otherwise a lossless PNG.
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
    # A JPEG decodes faster at 1/2, 1/4 or 1/8 of its size; twice the wanted size is enough for scaling.
    picture = _to_rgb(_upright(_decode(data, at_least=2 * side)))
    if max(picture.size) <= side:
        return display(path)
    picture.thumbnail((side, side), PIL.Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return DisplayImage("image/jpeg", buffer.getvalue())


# ---------------------------------------------------------------------------------------- decoding


def _decode(data: bytes, at_least: int | None = None) -> PIL.Image.Image:
    """The first frame, decoded completely. Decoders raise many kinds of errors; all are caught: those
    seen on Pillow's collection of damaged files by name, and any other kind too."""
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
            f"{picture.width} x {picture.height} pixels, and the limit is {MAX_PIXELS:,}",
        )
    if data.startswith(b"\xff\xd8"):
        scans = count_scans(data)
        if scans * picture.width * picture.height > MAX_SCANNED:
            raise Undecodable(
                QuarantineCode.BOMB,
                f"{scans:,} scans of {picture.width} x {picture.height} pixels take too long to decode",
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
    """1 to 8. Call it after decoding: Pillow then has turned a TIFF itself and dropped the tag."""
    try:
        found = picture.getexif().get(ORIENTATION)
    except Exception:  # unreadable EXIF gives no orientation
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
        raise Undecodable(
            QuarantineCode.UNIDENTIFIED, f"pixels have the unsupported mode {picture.mode}"
        ) from error


def _from_wide(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of more than 8 bits.

    With 16 bits, 65,535 is white. With 32 bits or floating point there is no fixed white. The smallest
    range that holds all values is used: 0 to 1, 0 to 255, 0 to 65,535 (integers only), otherwise the
    darkest to the brightest value of the picture.
    """
    values = np.asarray(picture).astype(np.float32)
    if not np.isfinite(values).all():
        raise Undecodable(QuarantineCode.NONFINITE, "pixels are infinite or not a number")
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
    """Whether a browser decodes these bytes to exactly the pixels of `read_image`."""
    plain = (
        picture.format in ("JPEG", "PNG", "WEBP")
        and picture.mode in ("RGB", "L")
        and not picture.has_transparency_data
        and not getattr(picture, "is_animated", False)
        and _orientation(picture) == 1
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


def _png(picture: PIL.Image.Image) -> DisplayImage:
    buffer = io.BytesIO()
    picture.info = {}  # the PNG must not carry a colour profile or an orientation
    picture.save(buffer, "PNG", compress_level=3)
    return DisplayImage("image/png", buffer.getvalue())
