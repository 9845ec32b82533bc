"""What reading one picture may cost: its pixels, bytes, seconds and memory. All limits stand here.

Large pictures are decoded one at a time, so that the memory of all threads and decoding processes together
stays near the limit for one picture. A picture whose header says that it needs more is refused before any
pixel is decoded. Decoding processes also have a limit on their address space, in case that a header lies.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import PIL.Image

MAX_PIXELS = 64_000_000
"""Largest picture, in pixels: 256 MB as Pillow holds RGB. Pictures of a 61 MP camera are below it. A larger
JPEG is decoded at 1/2, 1/4 or 1/8 of its size."""
MAX_BYTES = 512 << 20
"""Largest file, in bytes."""
MAX_SCANNED = 1_000_000_000
"""Most pixels that the scans of a JPEG may pass over: 15 scans of the largest picture. The progressive
JPEG of a camera or an editor has about 10."""
MAX_SECONDS = 60.0
"""Longest time for one picture in a decoding process. The slowest of Pillow's collection of hostile files
takes 0.5 s; a file on a slow share takes longer to read."""
MAX_MEMORY = 700 << 20
"""Most bytes for one picture: its file, what the decoder holds, and the pixels before and after
conversion."""
SMALL = 48 << 20
"""Pictures that need fewer bytes are decoded side by side; larger ones wait for one another."""
SPARE = 512 << 20
"""Bytes of address space that a decoding process may use besides those of the picture: libraries reserve more
than they use."""

_STORED = {"1": 1, "L": 1, "P": 1, "LA": 4, "I;16": 2, "I;16B": 2, "I;16L": 2}
_DECODER = {"WEBP": 8, "AVIF": 12, "JPEG2000": 16, "HEIF": 8}
"""Bytes for each pixel that a decoder holds beside the picture: its own planes, and a copy of the result."""
_COEFFICIENTS = 6
"""Of a progressive JPEG: 2 bytes for each pixel and colour, until the last scan."""


class LargePicture(Exception):
    """The picture is too large to be decoded beside others."""


def memory_needed(picture: PIL.Image.Image, pixels: int, file_bytes: int) -> int:
    """Bytes that reading this opened picture takes; `pixels` are those of the file, before any reduction."""
    stored = _STORED.get(picture.mode, 4)
    held = _DECODER.get(picture.format or "", 0)
    if picture.info.get("progressive"):
        held = _COEFFICIENTS
    wanted = picture.width * picture.height
    return file_bytes + max(held * pixels + stored * wanted, (stored + 4) * wanted)


@contextmanager
def room_for(memory: int, *, large_too: bool = True) -> Iterator[None]:
    """Wait until a picture that needs so many bytes may be decoded in this process.

    Without `large_too`, raises LargePicture where it would have to wait for others.
    """
    if memory <= SMALL:
        yield
        return
    if not large_too:
        raise LargePicture
    with _ONE_AT_A_TIME:
        yield


_ONE_AT_A_TIME = threading.RLock()


def limit_address_space() -> None:
    """Let this process have no more than the memory of one picture besides what it has. Linux only."""
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MAX_MEMORY + SPARE
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
