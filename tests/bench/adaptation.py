"""What learning costs: seconds to the optimum, and for 128 draws given the labels.

    python -m tests.bench.adaptation            20, 200 and 2,000 labels
    python -m tests.bench.adaptation 200 500    the given numbers of labels

Wall seconds of learning by the linearised model, by the learner of the labels alone (`free-weights`) and
by the default, which also sees 8,192 images of the pool, whatever the pool's size. `swapped` gives the
seconds of the latter two if every class has the name of the next class: the input of the residual head must
then be chosen. The other columns are of the learner of the labels.

The model is made up, of the size of a ViT-B/32 (P = 768, D = 512); images lie in clusters about their
classes. The plain form runs beside it: Newton's method, every inner system solved by conjugate gradients
in float64 to 1e-12. The plain form, draws and leave-one-out are left out if they would take minutes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, Strengths
from alworkbench.adaptation.conjugate_gradients import conjugate_gradients
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.leave_one_out import leave_one_out
from alworkbench.adaptation.map_fit import fit
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.curvature import pair_curvature
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior
from alworkbench.posterior.linearisation import ImageCoordinates

ACTIVATION, EMBEDDING, LATENT, PAIRS = 768, 512, 48, 4096
LOGIT_SCALE = 12.0
LABELS, CLASSES = (20, 200, 2000), (10, 62, 100)
OTHERS_UP_TO = 20_000
"""(Image, class) pairs up to which more than learning is timed."""
DRAWS = 128
LABELS_ALONE = "free-weights"


@dataclass(frozen=True)
class Campaign:
    start: Learner
    images: Features
    targets: Tensor
    pool: Features
    """Images of the same classes: as many as the default looks at."""


class World:
    """Images and texts are noisy views of a latent of falling spectrum; the head is a regression on it."""

    def __init__(self) -> None:
        self._random = torch.Generator().manual_seed(0)
        self._decay = torch.arange(1, LATENT + 1).float().rsqrt()
        self._image = self._normal(LATENT, ACTIVATION) / ACTIVATION**0.5
        self._text = self._normal(LATENT, EMBEDDING) / EMBEDDING**0.5
        latent = self._normal(PAIRS, LATENT)
        images = self._view(latent + 0.5 * self._normal(PAIRS, LATENT), self._image)
        texts = self._view(latent, self._text)
        wanted = (latent * self._decay) @ (self._normal(LATENT, EMBEDDING) / EMBEDDING**0.5)
        self.head = Head(
            torch.linalg.lstsq(images, wanted).solution.T.contiguous(),
            torch.linalg.lstsq(texts, wanted).solution.T.contiguous(),
            LOGIT_SCALE,
        )
        factors = pair_curvature(self.head, Features(images), texts, batch=512)
        posterior = Posterior(
            KroneckerPosterior.from_factors(self.head.image_projection, factors.image),
            KroneckerPosterior.from_factors(self.head.text_projection, factors.text),
            "made-up",
        )
        strengths = Strengths()
        self.posterior = posterior.tempered(strengths.image, strengths.text)

    def campaign(self, labels: int, classes: int) -> Campaign:
        latent = self._normal(classes, LATENT)
        label = torch.arange(labels) % classes
        images = self._view(latent[label] + self._normal(labels, LATENT), self._image)
        start = zero_shot(self.head, self.posterior, self._view(latent, self._text))
        count = DEFAULT_SETTINGS.pool_images
        shown = latent[torch.arange(count) % classes] + self._normal(count, LATENT)
        pool = Features(self._view(shown, self._image))
        return Campaign(start, Features(images), one_hot(label, classes).double(), pool)

    def _view(self, latent: Tensor, basis: Tensor) -> Tensor:
        noise = self._normal(len(latent), basis.shape[1]) / basis.shape[1] ** 0.5
        return (latent * self._decay) @ basis + 0.3 * noise

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._random)


def plain(kernel: LinearisedKernel, images: ImageCoordinates, targets: Tensor) -> float:
    """Newton with exact inner solves; returns the gradient that it ends at."""
    dual, shift = torch.zeros_like(targets), torch.zeros_like(targets)

    def objective(some: Tensor, moved: Tensor) -> float:
        loss = -(targets * (images.logits + moved).log_softmax(dim=-1)).sum()
        return float(loss + 0.5 * (some * moved).sum())

    for _ in range(200):
        p = (images.logits + shift).softmax(dim=-1)
        residual = targets - p - dual
        if float(residual.abs().max()) <= 1e-8:
            break
        root = p.sqrt()

        def push(v: Tensor, p: Tensor = p, root: Tensor = root) -> Tensor:
            return root * v - p * (root * v).sum(dim=-1, keepdim=True)

        def pull(v: Tensor, p: Tensor = p, root: Tensor = root) -> Tensor:
            return root * (v - (p * v).sum(dim=-1, keepdim=True))

        def product(columns: Tensor) -> Tensor:
            v = columns.view_as(targets)
            return (v + pull(kernel.matvec(push(v)))).view(-1, 1)

        right = pull(kernel.matvec(residual)).view(-1, 1)
        inner = conjugate_gradients(product, right, 1e-12, 5000).values.view_as(targets)
        direction = residual - push(inner)
        moved = kernel.matvec(direction)
        before, size = objective(dual, shift), 1.0
        while objective(dual + size * direction, shift + size * moved) > before + 1e-13 * (
            1 + abs(before)
        ):
            size /= 2
        dual, shift = dual + size * direction, shift + size * moved
    return float(residual.abs().max())


def main() -> None:
    table = Table(
        title=f"Learning in the linearised model, P = {ACTIVATION}, D = {EMBEDDING}, "
        f"{torch.get_num_threads()} threads, seconds",
        title_justify="left",
        box=None,
    )
    headings = (
        "labels",
        "classes",
        "linearised",
        "labels alone",
        "default",
        "swapped: labels alone",
    )
    headings += ("default", "gradient", "plain form", "times quicker")
    for heading in (*headings, f"{DRAWS} draws", "leave-one-out", "groups"):
        table.add_column(heading, justify="right")
    world = World()
    sizes = [int(size) for size in sys.argv[1:]] or LABELS
    for labels in sizes:
        for classes in CLASSES:
            table.add_row(*measured(world.campaign(labels, classes)))
    Console(width=140).print(table)


def measured(campaign: Campaign) -> list[str]:
    start, images, targets = campaign.start, campaign.images, campaign.targets
    exact = start.model.double()
    row = [*map(str, targets.shape)]
    shares = campaign.pool[: DEFAULT_SETTINGS.class_prior_images]

    def learned_by(name: str, targets: Tensor) -> tuple[Learner, float]:
        began = time.perf_counter()
        pool = campaign.pool if name == DEFAULT_ADAPTATION else None
        found = find_method(name)(start, images, targets, pool=shares, unlabelled=pool)
        return found, time.perf_counter() - began

    learned, seconds = learned_by(LABELS_ALONE, targets)
    row += [f"{learned_by(name, targets)[1]:.3f}" for name in ("linearised", LABELS_ALONE)]
    row.append(f"{learned_by(DEFAULT_ADAPTATION, targets)[1]:.3f}")
    swapped = targets.roll(1, dims=1)
    row += [f"{learned_by(name, swapped)[1]:.3f}" for name in (LABELS_ALONE, DEFAULT_ADAPTATION)]
    state = learned.state
    assert state is not None
    assert state.log_class_prior is not None
    met = replace(state.images, logits=state.images.logits + state.log_class_prior)
    row.append(f"{fit(exact, met, targets, head=state.residual_head).gradient:.0e}")
    if targets.numel() <= OTHERS_UP_TO:
        began = time.perf_counter()
        plain(
            LinearisedKernel(exact.classes, state.images, state.images, state.residual_head),
            met,
            targets,
        )
        took = time.perf_counter() - began
        row += [f"{took:.3f}", f"{took / seconds:.1f}"]
    else:
        row += ["", ""]
    if targets.numel() <= OTHERS_UP_TO:
        began = time.perf_counter()
        learned.draws(DRAWS, 0)
        row.append(f"{time.perf_counter() - began:.2f}")
    else:
        return [*row, "", "", ""]
    began = time.perf_counter()
    left = leave_one_out(learned, targets)
    return [*row, f"{time.perf_counter() - began:.2f}", str(left.groups)]


if __name__ == "__main__":
    main()
