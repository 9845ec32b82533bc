"""Models beside the bundled one, to choose recipes on: made from a seed in a minute, nothing to download.

`clusters` is a model of 100 classes whose activations are Gaussian clusters under 20 superclasses,
rectified; its class embeddings are the class means, plus noise: little of it and zero-shot is right
on seven images of ten, much of it and names say next to nothing. `letters` is a small dual encoder,
trained here for half a minute to tell 33 of the 53 classes of the collection `glyphs` by pictures drawn
anew; the other 20 names it never saw. `rare_letters` has six of the former, and four of the latter rare.

Dimensions used in this file
    C  classes, P image activation size, D embedding size, Q text activation size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.datasets.glyphs import CLASSES, draw_glyph
from alworkbench.encoders.head import Features, Head
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.fit_pairs import PAIR_BATCH, posterior_of_pairs
from alworkbench.simulation.dataset import SimulationData

PAIRS = 2000
"""That a posterior is fitted from."""


def clusters(name: str, wrong: float, seed: int = 0) -> SimulationData:
    """100 Gaussian classes; `wrong` is the length of the noise on class embeddings of length one."""
    random = torch.Generator().manual_seed(seed)
    classes, hidden, size, embedding = 100, 40, 160, 64

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    means = 1.2 * normal(classes // 5, hidden).repeat_interleave(5, 0)
    means = means + 0.75 * normal(classes, hidden)
    mixing = normal(hidden, size) / hidden**0.5

    def drawn(each: int) -> tuple[Float[Tensor, "n P"], Int[Tensor, "n"]]:
        labels = torch.arange(classes).repeat_interleave(each)
        spread = 0.66 + 0.88 * torch.rand(len(labels), 1, generator=random)
        inside = means[labels] + spread * normal(len(labels), hidden)
        return torch.relu(2 * inside @ mixing + 0.4 + 0.25 * normal(len(labels), size)), labels

    pool, test, seen = drawn(50), drawn(16), drawn(30)
    middle = seen[0].mean(dim=0)
    of_class = torch.stack([seen[0][seen[1] == c].mean(dim=0) for c in range(classes)]) - middle
    axes = torch.linalg.svd(of_class, full_matrices=False).Vh[: embedding - 1]
    projection = torch.cat([axes, torch.zeros(1, size)])
    names = normalize(of_class @ projection.T, dim=-1)
    names = names + wrong * normal(classes, embedding) / embedding**0.5
    shown = torch.randperm(len(seen[0]), generator=random)[:PAIRS]
    captions = names[seen[1][shown]] + 0.3 * normal(PAIRS, embedding) / embedding**0.5
    return made(
        name,
        Head(projection, torch.eye(embedding), logit_scale=10.0),
        names,
        (pool[0] - middle, pool[1]),
        (test[0] - middle, test[1]),
        (seen[0][shown] - middle, captions),
        [f"cluster {c}" for c in range(classes)],
    )


@dataclass(frozen=True)
class LetterModel:
    """A dual encoder of one small convolutional tower and a table of names, trained on 33 classes."""

    tower: nn.Module
    head: Head
    names: Float[Tensor, "C Q"]
    known: list[int]
    pairs: tuple[Float[Tensor, "n P"], Float[Tensor, "n Q"]]
    """Activations of images that it was trained on, and of their captions."""

    @torch.no_grad()
    def drawn(
        self, counts: Sequence[tuple[int, int]], seed: int
    ) -> tuple[Float[Tensor, "N P"], Int[Tensor, "N"]]:
        """Activations of so many pictures of each class, and their classes."""
        images, labels = _pictures(counts, seed)
        return torch.cat([self.tower(block) for block in images.split(500)]), labels


def _pictures(counts: Sequence[tuple[int, int]], seed: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(seed)
    labels = np.repeat(*(np.array(column) for column in zip(*counts, strict=True)))
    images = np.stack([draw_glyph(random, int(label)) for label in labels])
    return torch.tensor(images).float()[:, None] / 255, torch.tensor(labels)


@cache
def letter_model() -> LetterModel:
    classes, size, embedding, text = len(CLASSES), 192, 96, 80
    known = np.random.default_rng(5).permutation(classes)[:33].tolist()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tower = nn.Sequential(
            *(nn.Conv2d(1, 24, 5, 2, 2), nn.GELU()),
            *(nn.Conv2d(24, 48, 3, 2, 1), nn.GELU()),
            *(nn.Conv2d(48, 96, 3, 2, 1), nn.GELU()),
            *(nn.Flatten(), nn.Linear(96 * 16, size), nn.GELU()),
        )
        names = torch.randn(classes, text)
        image_side = nn.Linear(size, embedding, bias=False)
        text_side = nn.Linear(text, embedding, bias=False)
        scale = nn.Parameter(torch.tensor(2.3))
        images, labels = _pictures([(label, 250) for label in known], 1)
        place = torch.full((classes,), -1)
        place[torch.tensor(known)] = torch.arange(len(known))
        parts = [*tower.parameters(), *image_side.parameters(), *text_side.parameters(), scale]
        optimiser = torch.optim.AdamW(parts, lr=2e-3, weight_decay=0.02)
        for _ in range(6):
            for rows in torch.randperm(len(images)).split(128):
                said = names[torch.tensor(known)] + 0.15 * torch.randn(len(known), text)
                towards = normalize(text_side(said), dim=-1)
                cosines = normalize(image_side(tower(images[rows])), dim=-1) @ towards.T
                loss = cross_entropy(scale.exp() * cosines, place[labels[rows]])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            shown = torch.randperm(len(images))[:PAIRS]
            captions = names[labels[shown]] + 0.15 * torch.randn(PAIRS, text)
            pairs = torch.cat([tower(block) for block in images[shown].split(500)])
    head = Head(image_side.weight.detach(), text_side.weight.detach(), float(scale.detach().exp()))
    return LetterModel(tower, head, names, known, (pairs, captions))


def letters(name: str = "letters") -> SimulationData:
    """All 53 classes alike; of 20 the model knows no name."""
    model = letter_model()
    every = range(len(CLASSES))
    pool, test = (
        model.drawn([(label, each) for label in every], seed) for each, seed in ((110, 2), (30, 3))
    )
    return made(name, model.head, model.names, pool, test, model.pairs, list(CLASSES))


def rare_letters(name: str, seed: int) -> SimulationData:
    """Six classes that the model knows, and 1 in 100 of four whose names it does not."""
    model, random = letter_model(), np.random.default_rng(100 + seed)
    unknown = [label for label in range(len(CLASSES)) if label not in model.known]
    common, rare = random.permutation(model.known)[:6], random.permutation(unknown)[:4]
    chosen = [int(label) for label in (*common, *rare)]
    counts = [(label, 2000 if label in common else 20) for label in chosen]
    parts = [model.drawn(counts, 200 + seed), model.drawn([(c, 300) for c in chosen], 300 + seed)]
    place = torch.full((len(CLASSES),), -1)
    place[torch.tensor(chosen)] = torch.arange(len(chosen))
    pool, test = ((images, place[labels]) for images, labels in parts)
    names, called = model.names[torch.tensor(chosen)], list(CLASSES)
    return made(name, model.head, names, pool, test, model.pairs, [called[c] for c in chosen])


def made(
    name: str,
    head: Head,
    names: Float[Tensor, "C Q"],
    pool: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    pairs: tuple[Tensor, Tensor],
    classes: list[str],
) -> SimulationData:
    mixed = torch.randperm(len(pool[0]), generator=torch.Generator().manual_seed(0))
    activations = torch.cat([pool[0][mixed], test[0]])
    total = len(activations)
    return SimulationData(
        name=name,
        encoder_id=name,
        head=head,
        posterior=posterior_of_pairs(head, Features(pairs[0]), pairs[1], name, batch=PAIR_BATCH),
        classes=ClassList(tuple(LabelClass(c) for c in classes)),
        class_activations=names,
        table=FeatureTable.from_features(
            [f"{i:064x}" for i in range(total)], Features(activations)
        ),
        pool=torch.arange(len(mixed)),
        test=torch.arange(len(mixed), total),
        labels=torch.cat([pool[1][mixed], test[1]]),
        role="dev",
    )
