"""How many scans a JPEG file holds.

A progressive JPEG stores its picture in scans, usually about ten. Each scan passes over the whole picture, so
that a small file with thousands of them keeps a decoder busy for minutes. Markers: ITU-T T.81, Annex B.
"""

from __future__ import annotations

import re

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment."""
NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd9-\xfe]")
"""In compressed data, 0xFF is followed by 0 or by a restart marker, and elsewhere by a real marker."""


def count_scans(data: bytes) -> int:
    """The scans of the first picture of a JPEG file; what follows that picture is not looked at."""
    scans, at = 0, 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF or marker in ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == END_OF_IMAGE:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == START_OF_SCAN:
            scans += 1
            found = NEXT_MARKER.search(data, at)
            if found is None:
                break
            at = found.start()
    return scans
