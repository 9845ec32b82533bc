"""Images of the pool that teach a learner besides the labelled ones: the same sample in every round."""

from __future__ import annotations

from collections.abc import Collection

import torch

from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.core.domain import Goal, Role
from alworkbench.encoders.head import Features
from alworkbench.project.session import Session, some_of


class PoolSamples:
    """Seeded samples of a project's pool. An image without features is not seen."""

    def __init__(self, session: Session) -> None:
        self._session = session

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
        return self._gathered(self._rows(adaptation.class_prior_images))

    def unlabelled(
        self, adaptation: AdaptationSettings, labelled: Collection[str]
    ) -> Features | None:
        """Images that class Gaussians are fitted to: none of the `labelled` ones (content hashes).

        None where there is no such image.
        """
        known = self._session.engine().table().rows_by_hash()
        taught = {known[content] for content in labelled}
        rows = [row for row in self._rows(adaptation.pool_images) if row not in taught]
        return self._gathered(rows) if rows else None

    def _rows(self, most: int) -> list[int]:
        """At most so many rows of the table, drawn from the pool with the project's seed."""
        with self._session.store.read() as reader:
            seed = reader.settings().seed
            pool = reader.images.ids_and_hashes(Role.POOL)
        known = self._session.engine().table().rows_by_hash()
        return some_of([known[content] for _, content in pool if content in known], most, seed)

    def _gathered(self, rows: list[int]) -> Features:
        engine = self._session.engine()
        return engine.table().gather(torch.tensor(rows, dtype=torch.long), engine.device)
