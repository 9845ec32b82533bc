"""What a batch would cost, from sizes alone."""

from __future__ import annotations

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.cost import Estimate, Size
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import Role
from alworkbench.core.errors import NoImages, PoolExhausted
from alworkbench.project.session import Session, refuse_open

DRAWS = 128
"""Posterior draws behind a batch."""
TARGETS = 1000
"""Target images: a random sample of the pool, fixed by the seed, whose predictions a batch should improve.
A strategy may use other images of the pool instead, see `AcquisitionContext.pool_is_target`."""


def estimate_batch(
    session: Session,
    strategy: str | None,
    batch_size: int | None,
    targets: int | None,
    memory: int,
    pool_is_target: bool,
) -> Estimate:
    """What `Rounds.propose` would cost; see `Rounds.estimate`."""
    with session.store.read() as reader:
        settings = reader.settings()
        refuse_open(reader)
        classes = len(reader.classes.current())
        pool = reader.images.count(Role.POOL)
        answered = reader.labels.current(Role.POOL)
    candidates = pool - len(answered)
    if not pool:
        session.encoder_record()  # says it of the whole project before the first import
        raise NoImages("pool")
    if not candidates:
        raise PoolExhausted
    head = session.engine().head
    labelled = sum(label.class_id is not None for label in answered.values())
    size = Size(
        candidates=candidates,
        targets=min(TARGETS, pool if targets is None else targets),
        classes=classes,
        draws=DRAWS,
        batch=min(batch_size or settings.batch_size, candidates),
        labelled=labelled,
        embedding=head.image_projection.shape[0],
        activation=head.image_projection.shape[1],
        text_activation=head.text_projection.shape[1],
        residual_head=labelled > 0 and find_method(settings.adaptation).residual_head,
        pool_is_target=pool_is_target,
    )
    return find_strategy(strategy or settings.strategy).estimate(size, memory)
