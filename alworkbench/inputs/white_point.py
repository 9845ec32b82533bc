"""Which value is white in a picture of 16 bits.

Cameras, microscopes and scanners write 10, 12 or 14 bits into files of 16. With white at 65,535 such a
picture is nearly black. What a file says counts for that file: `BitsPerSample` of TIFF, `SMaxSampleValue`,
`MaxSampleValue` where it is the end of a range of bits (otherwise it may be the brightest value), and
`sBIT` of PNG. A file that says nothing has the white of the project, or 65,535.

sBIT gives the bits of the original values. The PNG specification (W3C, third edition, 11.3.2.6) wants them
scaled to the full range, and many programs do not do so. Scaled values are above the original range, or all
multiples of the factor; otherwise the white of the original range counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import PIL.Image

from alworkbench.core.domain import Depth
from alworkbench.inputs.pixels import MOST, brightest, holds_only_multiples

BITS_PER_SAMPLE, MAX_SAMPLE_VALUE, SMAX_SAMPLE_VALUE = 258, 281, 341
LEAST = 255
"""The smallest white: a file of 16 bits may hold 8 of them."""
_RANGES = frozenset(2**bits - 1 for bits in range(8, 16))


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says of its values."""

    white: int
    may_be_scaled: bool = False
    """Whether values that were scaled to 16 bits are to be recognised."""


def stated_white(picture: PIL.Image.Image, data: bytes) -> Stated | None:
    """What an opened file of 16 bits says; None where it says nothing."""
    if picture.format == "PNG":
        bits = _significant_bits(data)
        return None if bits is None or not 8 <= bits < 16 else Stated(2**bits - 1, True)
    if picture.format == "JPEG2000":
        return Stated(MOST)  # its decoder scales the values to 16 bits
    return _stated_by_tags(picture) if picture.format == "TIFF" else None


def grey_depth(picture: PIL.Image.Image, stated: Stated | None, project: int | None) -> Depth:
    """The depth of decoded grey values of 16 bits; `project` is the white of the project, if it has one."""
    most = brightest(picture)
    if stated is None:
        return Depth(project or MOST, most, False)
    factor = (MOST + 1) // (stated.white + 1)
    scaled = most > stated.white or holds_only_multiples(picture, factor)
    return Depth(MOST if stated.may_be_scaled and scaled else stated.white, most, True)


def colour_depth(high: PIL.Image.Image, stated: Stated | None, project: int | None) -> Depth:
    """The depth of decoded colours of 16 bits, of which the high bytes are given."""
    tops = [top for _, top in high.getextrema()[:3]]  # type: ignore[misc]  # one pair for each band
    most = 256 * max(int(top) for top in tops) + 255
    if stated is None:
        return Depth(project or MOST, most, False)
    scaled = stated.may_be_scaled and most > max(stated.white, 255)
    return Depth(MOST if scaled else stated.white, most, True)


def _significant_bits(png: bytes) -> int | None:
    """The largest number in the chunk sBIT; None without one. The chunk stands before the pixels."""
    at = 8
    while at + 8 <= len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        if kind == b"IDAT":
            return None
        if kind == b"sBIT":
            return max(png[at + 8 : at + 8 + min(length, 3)], default=None)
        at += 12 + length
    return None


def _stated_by_tags(picture: PIL.Image.Image) -> Stated | None:
    tags = getattr(picture, "tag_v2", {})

    def largest(tag: int) -> int | None:
        found = tags.get(tag)
        if found is None:
            return None
        try:
            return int(max(found)) if isinstance(found, tuple) else int(found)
        except (TypeError, ValueError, OverflowError):
            return None  # no number

    bits = largest(BITS_PER_SAMPLE)
    if bits is not None and 8 < bits < 16:
        return Stated(2**bits - 1)
    named = largest(SMAX_SAMPLE_VALUE)
    if named is not None and LEAST <= named <= MOST:
        return Stated(named)
    range_end = largest(MAX_SAMPLE_VALUE)
    return Stated(range_end) if range_end is not None and range_end in _RANGES else None
