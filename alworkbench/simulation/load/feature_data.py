"""A labelled features file as data for simulations."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.core.domain import NO_CLASS, ClassList, LabelClass
from alworkbench.core.errors import InvalidFeatureFile
from alworkbench.features.feature_file import FeatureFile
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.fit_pairs import PAIR_BATCH, posterior_of_pairs
from alworkbench.posterior.fit_pool import fit_from_pool
from alworkbench.posterior.kronecker import Posterior
from alworkbench.simulation.dataset import SimulationData


def data_of_features(file: FeatureFile, path: Path) -> SimulationData:
    """The data of a features file. Without pairs, the posterior is fitted from the pool.

    Raises InvalidFeatureFile without labels, or if the pool or the test part is empty.
    """
    if file.labels is None:
        raise InvalidFeatureFile(
            f"{path} has no array `labels`, from which the oracle of a simulation answers. Write the file "
            f"again with it."
        )
    split = file.split or ("pool",) * len(file.features)
    is_test = torch.tensor([part == "test" for part in split])
    known = file.labels >= 0
    may_be_asked = known | (file.labels == NO_CLASS)
    pool, test = (may_be_asked & ~is_test).nonzero()[:, 0], (known & is_test).nonzero()[:, 0]
    if not len(pool) or not len(test):
        raise InvalidFeatureFile(
            f"{path} has {len(pool)} labelled images in its pool and {len(test)} in its test part; "
            f"both are needed. Mark images with `split` as pool or test."
        )
    # Without hashes, the paths identify the rows.
    names = file.hashes or file.paths or ()
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    table = FeatureTable.from_features(hashes, file.features)
    # The test part must not influence the posterior, because learners are measured on it.
    posterior = _posterior(file, table, (~is_test).nonzero()[:, 0])
    return SimulationData(
        path.stem,
        file.encoder_id,
        file.head,
        posterior,
        ClassList(tuple(LabelClass(name) for name in file.class_names)),
        file.class_activations,
        table,
        pool,
        test,
        file.labels,
        file.role,
    )


def _posterior(file: FeatureFile, table: FeatureTable, pool: Int[Tensor, "n"]) -> Posterior:
    if file.pairs is not None:
        images, texts = file.pairs.images, file.pairs.texts
        return posterior_of_pairs(file.head, images, texts, file.encoder_id, batch=PAIR_BATCH)
    found = fit_from_pool(
        file.head,
        table,
        pool,
        file.prompt_activations,
        file.encoder_id,
        batch=PAIR_BATCH,
        seed=0,
    )
    return found.posterior
