"""Images of the pool that teach a learner besides the labelled ones: the same sample in every round.

Dimensions used in this file
    N  images of the pool that have features
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int

from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.core.domain import Goal, Role
from alworkbench.encoders.head import Features
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.session import Session, some_of


class PoolSamples:
    """Seeded samples of a project's pool, for one computation. An image without features is not seen.

    `pool` are the pool's images, where the caller has read them already. They are listed at most once: that
    is most of the time of learning beside a million images.
    """

    def __init__(self, session: Session, pool: ImageColumns | None = None) -> None:
        self._session = session
        self._given = pool

    def sizes(self) -> tuple[int, int]:
        """Number of images in the pool and of images with features: other numbers, other samples."""
        with self._session.store.read() as reader:
            pool = reader.images.count(Role.POOL)
        return pool, len(self._session.engine().table())

    def for_class_prior(self, adaptation: AdaptationSettings) -> Features | None:
        """Images that the class prior is estimated from; None unless the goal is balanced."""
        with self._session.store.read() as reader:
            if reader.settings().goal is not Goal.BALANCED:
                return None
        return self._gathered(self._some(adaptation.class_prior_images))

    def unlabelled(
        self, adaptation: AdaptationSettings, labelled: Collection[str]
    ) -> Features | None:
        """Images that class Gaussians are fitted to: none of the `labelled` ones (content hashes).

        None where there is no such image.
        """
        taught = set(self._session.engine().table().rows_of(list(labelled)).tolist())
        rows = [row for row in self._some(adaptation.pool_images) if row not in taught]
        return self._gathered(rows) if rows else None

    def _some(self, most: int) -> list[int]:
        """At most so many rows of the table, drawn from the pool with the project's seed."""
        return some_of(self._rows, most, self._session.settings().seed)

    @cached_property
    def _rows(self) -> Int[np.ndarray, "N"]:
        """The rows of the table that belong to the pool, in the order of the image ids."""
        pool = self._given
        if pool is None:
            with self._session.store.read() as reader:
                pool = ImageColumns.read(reader, Role.POOL)
        rows = self._session.engine().table().find(pool.hashes)
        return rows[rows >= 0]

    def _gathered(self, rows: list[int]) -> Features:
        engine = self._session.engine()
        return engine.table().gather(torch.tensor(rows, dtype=torch.long), engine.device)
