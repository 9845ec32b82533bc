"""Names of folders and files in an export: safe on every disk, readable, and read back.

A class name may hold what a folder name must not: a slash, a dot at its beginning, a device name of Windows
such as `con`. Such characters are written as `%` and two hexadecimal digits for each byte of UTF-8, as in
URLs: `a/b` is the folder `a%2Fb`. Of two classes that differ only in case, the later one has as many of its
first characters written so as it takes: `heron`, `%48eron`. Names that are too long for a disk are cut and
end in `%~` and eight digits of their SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from PIL import Image

from alworkbench.core.names import composed, tidy_name
from alworkbench.inputs.formats import suffixes

MOST_BYTES = 200
"""Of a folder name. Disks allow 255; the archive or the copy that somebody makes may add to it."""
_STEM_BYTES = 100
_CUT = "%~"
"""No other name holds it: `%` itself is written as bytes."""
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|%]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_USUAL = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".apng": ".png", ".tiff": ".tif"}
"""Suffix -> the one that more programs know."""


def folders_of_classes(names: Iterable[str]) -> dict[str, str]:
    """Class name -> the name of its folder; no two are equal, also where a disk ignores the case."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        written = 0  # so many characters at the beginning are written as bytes
        while composed(folder := _folder(name, written)).casefold() in taken:
            written += 1
        folders[name] = folder
        taken.add(composed(folder).casefold())
    return folders


def cut_names(names: Iterable[str]) -> dict[str, str]:
    """Folder -> class name, of those classes whose names are too long for a folder."""
    return {folder: name for name in names if _CUT in (folder := _folder(name, 0))}


def class_of_folder(folder: str, cut: Mapping[str, str]) -> str:
    """The class of a folder of an export; `cut` is that of `cut_names`, for the classes that it has."""
    found = tidy_name(folder)
    if found in cut:
        return cut[found]
    try:
        return tidy_name(unquote(found, errors="strict"))
    except UnicodeDecodeError:
        return found


def _folder(name: str, written: int) -> str:
    last = len(name) - 1
    pieces = [
        _bytes(sign)
        if index < written
        or _UNSAFE.match(sign)
        or (sign in ". " and index == last)
        or (sign in ". " and index == 0)
        or (index == 0 and _DEVICE.match(name))
        else sign
        for index, sign in enumerate(name)
    ]
    if len("".join(pieces).encode()) <= MOST_BYTES:
        return "".join(pieces)
    mark = f"{_CUT}{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    while len("".join(pieces).encode()) > MOST_BYTES - len(mark):
        pieces.pop()
    return "".join(pieces) + mark


def _bytes(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode())


def picture_name(image: str, content: str, file: Path) -> str:
    """The name of a picture in an export: its own, what is safe of it, and the start of its content hash.

    `image` is its path in the project, `file` holds it. Only the suffix holds a dot, because WebDataset
    ends the name of a sample at the first one.
    """
    own = PurePosixPath(image)
    stem = re.sub(r"[^\w-]+", "_", composed(own.stem)).strip("_")
    stem = stem.encode()[:_STEM_BYTES].decode(errors="ignore")
    suffix = own.suffix.lower()
    if suffix not in suffixes():
        with Image.open(file) as picture:
            suffix = f".{(picture.format or '').lower()}"
    return f"{stem or 'image'}-{content[:16]}{_USUAL.get(suffix, suffix)}"
