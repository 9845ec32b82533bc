"""The white point of a project: what is white in files of 16 bits that do not say so.

It is part of the settings as soon as the project has such a file, and people and model see these files with
it. It can be changed until features were computed, because these are not computed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from alworkbench.core.domain import FoundImage
from alworkbench.core.errors import WhitePointInUse
from alworkbench.core.ports import Reader, Writer
from alworkbench.inputs.pixels import MOST
from alworkbench.project.session import Session

DARK = 4
"""A picture looks dark if its brightest value times this is below white: it has 14 bits, or fewer."""


def choose_white(session: Session, reader: Reader, wanted: int | None) -> int | None:
    """The white point of an import: the wanted one, or that of the project.

    Raises WhitePointInUse where files were encoded with another one.
    """
    known = reader.settings().white_point
    if wanted is None or known in (None, wanted):
        return wanted or known
    if any(session.folder.features.rglob("DONE.json")):
        raise WhitePointInUse(known, wanted)
    return wanted


def keep_white(writer: Writer, wanted: int | None, images: Iterable[FoundImage]) -> None:
    """Make the white point of an import that of the project, if it was wanted or a file needed it."""
    settings = writer.settings()
    needed = any(image.depth is not None and not image.depth.stated for image in images)
    white = wanted or settings.white_point or (MOST if needed else None)
    if white != settings.white_point:
        writer.save_settings(replace(settings, white_point=white))


@dataclass(frozen=True, slots=True)
class DepthSummary:
    """Of the pictures of 16 bits in an import."""

    whites: Mapping[int, int]
    """White point -> pictures that are shown with it."""
    dark: int
    """Pictures that look dark, though the file does not say what is white."""
    brightest: int
    """The largest value in these."""


def summarise_depths(images: Iterable[FoundImage]) -> DepthSummary:
    """Counts for the report of an import."""
    depths = [image.depth for image in images if image.depth is not None]
    plain = [each.brightest for each in depths if not each.stated and each.white == MOST]
    dark = [value for value in plain if 0 < DARK * value < MOST]
    whites = dict(sorted(Counter(depth.white for depth in depths).items()))
    return DepthSummary(whites, len(dark), max(dark, default=0))
