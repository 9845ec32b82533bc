"""Images that can be asked: without an answer, with features, and with a file that still holds them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from alworkbench.core.errors import NoImages, NothingToAsk, PoolExhausted
from alworkbench.project.image_files import file_faults, hashes_of, in_words
from alworkbench.project.session import Session

Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Choice]):
    """What was chosen, from how many images."""

    choice: Choice
    candidates: int
    left_out: tuple[str, ...]
    """Content hashes of images that were not candidates because no file holds them any more, sorted. Only
    found where one of them would have been asked; a replay leaves out the same images."""


def choose_askable(
    session: Session,
    pool: Sequence[tuple[int, str]],
    answered: Collection[int],
    encoded: Sequence[int],
    choose: Callable[[list[int]], tuple[Choice, Sequence[int]]],
    without: Collection[str] = (),
) -> Chosen[Choice]:
    """Choose images to ask, again and again until the files of all that were chosen are as imported.

    `pool` are (image id, content hash), `encoded` ids of images with features, in the order of the
    candidates. `choose` gets the candidates, and returns its choice and the chosen ids. `without` are hashes
    that are no candidates. Raises NoImages for a pool without images, PoolExhausted where all images have an
    answer, NothingToAsk where the others cannot be asked.
    """
    if not pool:
        raise NoImages("pool")
    left_out = set(without)
    lost = ""
    while True:
        gone = {image for image, content in pool if content in left_out} if left_out else set()
        candidates = [image for image in encoded if image not in answered and image not in gone]
        if not candidates:
            unencoded = len(pool) - len(encoded)
            answers = sum(image in answered for image, _ in pool)
            if answers == len(pool):
                raise PoolExhausted
            raise NothingToAsk(len(pool), answers, unencoded, lost)
        choice, chosen = choose(candidates)
        if not session.has_files:
            return Chosen(choice, len(candidates), tuple(sorted(left_out)))
        asked = _contents(pool, chosen)
        if not hashes_of(file_faults(session, asked)):
            return Chosen(choice, len(candidates), tuple(sorted(left_out)))
        # Where one file is gone, more may be: all are looked at once, so that few choices are in vain.
        found = file_faults(session, _contents(pool, candidates))
        left_out |= hashes_of(found)
        lost = in_words(found) if found else lost


def _contents(pool: Sequence[tuple[int, str]], images: Sequence[int]) -> set[str]:
    """The content hashes of these images. A dictionary of the whole pool would take more memory."""
    wanted = set(images)
    return {content for image, content in pool if image in wanted}


def refuse_nothing_to_ask(
    session: Session,
    pool: Sequence[tuple[int, str]],
    answered: Collection[int],
    encoded: Sequence[int],
    without: Collection[str] = (),
) -> None:
    """Say why no image can be asked, where this is so. Raises what `choose_askable` raises.

    It looks at the files of all candidates, so it is for a project that lacks something else too: a posterior
    is no remedy where there is nothing to ask.
    """
    choose_askable(session, pool, answered, encoded, lambda images: (None, images), without)
