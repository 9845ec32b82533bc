"""Images that can be asked: without an answer, with features, and with a file that still holds them.

Dimensions used in this file
    N  images of the pool that have features
    n  candidates
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Int

from alworkbench.core.errors import NoImages, NothingToAsk, PoolExhausted
from alworkbench.project.image_columns import ImageColumns
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
    pool: ImageColumns,
    answered: Collection[int],
    encoded: Int[np.ndarray, "N"],
    choose: Callable[[Int[np.ndarray, "n"]], tuple[Choice, Sequence[int]]],
    without: Collection[str] = (),
) -> Chosen[Choice]:
    """Choose images to ask, again and again until the files of all that were chosen are as imported.

    `encoded` are ids of images of the pool with features, in the order of the candidates. `choose` gets the
    ids of the candidates, and returns its choice and the chosen ids. `without` are hashes that are no
    candidates. Raises NoImages for a pool without images, PoolExhausted where all images have an answer,
    NothingToAsk where the others cannot be asked.
    """
    if not len(pool):
        raise NoImages("pool")
    left_out = set(without)
    lost = ""
    done = np.fromiter(answered, np.int64, len(answered))
    while True:
        excluded = np.concatenate([done, pool.ids_with(left_out)]) if left_out else done
        candidates = encoded[~np.isin(encoded, excluded)]
        if not len(candidates):
            unencoded = len(pool) - len(encoded)
            answers = int(np.isin(pool.ids, done).sum())
            if answers == len(pool):
                raise PoolExhausted
            raise NothingToAsk(len(pool), answers, unencoded, lost)
        choice, chosen = choose(candidates)
        if not session.has_files:
            return Chosen(choice, len(candidates), tuple(sorted(left_out)))
        asked = set(pool.hashes_of(chosen))
        if not hashes_of(file_faults(session, asked)):
            return Chosen(choice, len(candidates), tuple(sorted(left_out)))
        # Where one file is gone, more may be: all are looked at once, so that few choices are in vain.
        found = file_faults(session, set(pool.hashes_of(candidates.tolist())))
        left_out |= hashes_of(found)
        lost = in_words(found) if found else lost


def refuse_nothing_to_ask(
    session: Session,
    pool: ImageColumns,
    answered: Collection[int],
    encoded: Int[np.ndarray, "N"],
    without: Collection[str] = (),
) -> None:
    """Say why no image can be asked, where this is so. Raises what `choose_askable` raises.

    It looks at the files of all candidates, so it is for a project that lacks something else too: a posterior
    is no remedy where there is nothing to ask.
    """
    choose_askable(
        session, pool, answered, encoded, lambda images: (None, images.tolist()), without
    )
