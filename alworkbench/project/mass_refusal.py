"""Where most files of a command are refused, the command has failed, as with a disk that is not mounted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from alworkbench.core.domain import QuarantinedFile

SHARE = 0.5
"""A command fails if more than this share of its files is refused. Folders with a few broken files are usual;
where more than half is broken, the cause is hardly in the files."""
MOST_REASONS = 3
"""Reasons that a message names."""


def is_mass_refusal(refused: int, total: int) -> bool:
    """Whether so many refused files of all are no success."""
    return refused > SHARE * total


def reasons_of(refused: Mapping[str, QuarantinedFile], hashes: Iterable[str]) -> dict[str, int]:
    """Reason -> how many of these images (content hashes) were refused for it, most frequent first."""
    return counted_reasons(refused[content] for content in hashes if content in refused)


def counted_reasons(files: Iterable[QuarantinedFile]) -> dict[str, int]:
    """Reason -> how many of these files were refused for it, most frequent first."""
    return dict(Counter(f"{file.code}: {file.detail}" for file in files).most_common())


def reasons_in_words(reasons: Mapping[str, int]) -> str:
    """`118 x io: No such file or directory; 2 x truncated: image file is truncated`."""
    shown = [f"{count} x {reason}" for reason, count in reasons.items()]
    more = sum(list(reasons.values())[MOST_REASONS:])
    return "; ".join([*shown[:MOST_REASONS], *([f"{more} for other reasons"] if more else [])])
