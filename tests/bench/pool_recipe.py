"""The parts of the pool-taught learner, each changed alone.

    python -m tests.bench.pool_recipe [FEATURES.npz ...] [--seeds 5]

Random labels of dev data and of labelled features files; two thirds of the pool are seen. Prints Markdown:
gain in balanced accuracy over the learner of the labels after 20 and 50 labels on each data set, in points,
their mean with the standard error over seeds, the smallest of them, and mean NLPD and ECE.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch.nn.functional import normalize, one_hot

from alworkbench.adaptation import pool_gaussians, pool_taught
from alworkbench.adaptation.adaptation_settings import (
    DEFAULT_SETTINGS,
    AdaptationSettings,
    Strengths,
)
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.methods import find_method
from alworkbench.encoders.head import Features
from alworkbench.evaluation.metrics import Metrics
from alworkbench.simulation.dataset import SimulationData
from tests.bench.learners import dev_sets

COUNTS = (20, 50)
SHARE = 2 / 3
SKIPPED = ("glyphs", "clusters")

Patches = dict[tuple[object, str], object]


class Recipe:
    """The default's settings or code, with one part changed."""

    def __init__(self, patches: Patches | None = None, **settings: object) -> None:
        self.settings: AdaptationSettings = replace(DEFAULT_SETTINGS, **settings)  # type: ignore[arg-type]
        self.patches = patches or {}

    @contextmanager
    def __call__(self) -> Iterator[AdaptationSettings]:
        with ExitStack() as stack:
            for (owner, name), value in self.patches.items():
                stack.enter_context(patch.object(owner, name, value))
            yield self.settings


def with_class_shares(*arguments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The M step of a mixture with a share of each class, not of equal shares."""
    slopes, offsets = DISCRIMINANTS(*arguments)
    mass = arguments[1]
    return slopes, offsets + ((mass + 1) / (mass.sum() + len(mass))).log().to(offsets)


DISCRIMINANTS = pool_gaussians._discriminants
FIXED = (1e-9, 1e-9)
RECIPES = {
    "as built": Recipe(),
    "32 directions": Recipe(pool_directions=32),
    "128 directions": Recipe(pool_directions=128),
    "2 iterations": Recipe(pool_iterations=2),
    "10 iterations": Recipe(pool_iterations=10),
    "no choice: alpha 1, beta 1": Recipe(stacking_means=(1.0, 1.0), stacking_deviations=FIXED),
    "no choice: alpha 1, beta .1": Recipe(stacking_means=(1.0, 0.1), stacking_deviations=FIXED),
    "only alpha chosen": Recipe(stacking_means=(0.7, 1e-9), stacking_deviations=(0.3, 1e-9)),
    "unseen classes count fully": Recipe(
        {(pool_taught, "_weight_of_unseen"): lambda z, targets, weights, unseen: 0 * weights + 1}
    ),
    "unseen classes do not count": Recipe(
        {(pool_taught, "_weight_of_unseen"): lambda z, targets, weights, unseen: 1 - unseen}
    ),
    "4 images at the mean": Recipe({(pool_gaussians, "MEAN_IMAGES"): 4.0}),
    "spherical share .3": Recipe({(pool_gaussians, "SPHERICAL_SHARE"): 0.3}),
    "shares of the classes": Recipe({(pool_gaussians, "_discriminants"): with_class_shares}),
}
EMBEDDINGS = "unit embeddings"


def of_embeddings(data: SimulationData) -> Recipe:
    """Coordinates from unit embeddings in place of unit activations."""

    def unit(images: Features) -> torch.Tensor:
        return normalize(data.head.embed_images(images), dim=-1)

    return Recipe({(pool_gaussians, "_unit"): unit})


def measured(data: SimulationData, seed: int) -> Iterator[tuple[str, int, Metrics]]:
    """(recipe, labels, metrics on the test part); the recipe "" is the learner of the labels."""
    strengths = Strengths()
    belief = data.posterior.tempered(strengths.image, strengths.text)
    start = zero_shot(data.head, belief, data.class_activations)
    order = torch.randperm(len(data.pool), generator=torch.Generator().manual_seed(seed))
    pool = data.pool[order][: round(SHARE * len(data.pool))]
    pool = pool[data.labels[pool] >= 0]
    rest = pool[max(COUNTS) :][: DEFAULT_SETTINGS.pool_images]
    unlabelled = data.table.gather(rest)
    shares, part = unlabelled[: DEFAULT_SETTINGS.class_prior_images], data.test_part()
    for count in COUNTS:
        labelled = data.table.gather(pool[:count])
        targets = one_hot(data.labels[pool[:count]], len(data.classes)).double()
        base: Learner = find_method("free-weights").fit_base(start, labelled, targets, pool=shares)
        yield "", count, part.measure(base)
        for name, recipe in {**RECIPES, EMBEDDINGS: of_embeddings(data)}.items():
            with recipe() as settings:
                taught = pool_taught.teach(base, unlabelled, labelled, targets, None, settings)
                yield name, count, part.measure(taught)


def rows(values: np.ndarray, names: list[str], data: list[str]) -> list[str]:
    """`values` are recipes x data x seeds x counts x (balanced accuracy, NLPD, ECE)."""
    gains = 100 * (values[..., 0] - values[:1, ..., 0])  # recipes x data x seeds x counts
    lines = [
        f"| recipe | {' | '.join(data)} | mean | worst | NLPD | ECE |",
        "|---" * (len(data) + 5) + "|",
    ]
    for name, gain, all_metrics in zip(names, gains, values, strict=True):
        cells = [" ".join(f"{x:.1f}" for x in each.mean(axis=0)) for each in gain]
        over_seeds = gain.mean(axis=(0, 2))
        error = over_seeds.std(ddof=1) / len(over_seeds) ** 0.5
        nlpd, ece = all_metrics[..., 1].mean(), all_metrics[..., 2].mean()
        worst = gain.mean(axis=1).min()
        lines.append(
            f"| {name or 'labels alone'} | {' | '.join(cells)} | {over_seeds.mean():.2f} ± {error:.2f} "
            f"| {worst:.1f} | {nlpd:.3f} | {ece:.3f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    found: dict[tuple[str, str, int, int], tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        sets: dict[str, Callable[[], SimulationData]] = dev_sets(given.files, Path(cache))
        names = [name for name in sets if name not in SKIPPED]
        for name in names:
            data = sets[name]()
            for seed in range(given.seeds):
                for recipe, count, each in measured(data, seed):
                    found[recipe, name, seed, count] = (each.balanced_accuracy, each.nlpd, each.ece)
    recipes = ["", *RECIPES, EMBEDDINGS]
    values = np.array(
        [
            [[[found[r, d, s, n] for n in COUNTS] for s in range(given.seeds)] for d in names]
            for r in recipes
        ]
    )
    print("\n".join(rows(values, recipes, names)))


if __name__ == "__main__":
    main()
