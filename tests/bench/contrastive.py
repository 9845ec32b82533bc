"""Made-up models with the geometry of a trained contrastive one: a logit scale of 100 and a modality gap.

The bundled model and those of `other_models` have small logit scales and unit embeddings that spread
around zero. Those of CLIP and its kin lie in two narrow cones, one of images (mean cosine .5 to .75 here) and
one of texts, with cosines of .1 to .3 between them, of which a scale of 100 makes probabilities; a few
activations are much larger than all others; and zero-shot is right more often than not, and knows it.

Classes are Gaussian in a latent space whose variances fall by e^3, under some superclasses. An image's
activation is a mixture of its latent place, of nuisance and of a large common part, layer-normed with
gains. The projection was fitted, by least squares, to put images of 300 other classes where their latent
places are, but for the gap. Names are the class means' directions with noise.

Dimensions used in this file
    C  classes          n  images          L  latent size
    P  image activation size, D embedding size
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import layer_norm, normalize

from alworkbench.encoders.head import Head
from alworkbench.simulation.dataset import SimulationData
from tests.bench.other_models import PAIRS, made

_ACTIVATION, _EMBEDDING, _LATENT, _NUISANCE, _WORLD = 384, 256, 80, 120, 300


@dataclass(frozen=True)
class Kind:
    classes: int
    related: float
    """Share of a class's place that it has from its superclass; eight classes have one in common."""
    spread: float
    """Of images within a class, in standard deviations of the class means."""
    misnamed: float
    """Length of the noise on a name's direction of length one."""
    elsewhere: float = 0.0
    """Share of a name's place that is another class's: a domain that words do not describe."""
    pool: int = 6000
    seed: int = 0


def contrastive(name: str, kind: Kind) -> SimulationData:
    model = _Model(kind)
    places = model.places(kind.classes, kind.related)
    named = (1 - kind.elsewhere) * places + kind.elsewhere * model.places(kind.classes, 0.0)
    names = model.texts(named, kind.misnamed)
    each = kind.pool // kind.classes
    pool, test = (model.drawn(places, count, kind.spread) for count in (each, max(15, each // 3)))
    classes = [f"class {c}" for c in range(kind.classes)]
    return made(name, model.head, names, pool, test, model.pairs, classes)


class _Model:
    def __init__(self, kind: Kind) -> None:
        self._random = torch.Generator().manual_seed(kind.seed)
        self._decay = torch.linspace(0, -3, _LATENT).exp().sqrt()
        axes = torch.linalg.qr(self._normal(_EMBEDDING, _LATENT + 3))[0].T
        self._meaning, (self._image, self._text, self._common) = axes[:_LATENT], axes[_LATENT:]
        self._lift = self._normal(_LATENT, _ACTIVATION) / _LATENT**0.5
        self._nuisance = self._normal(_NUISANCE, _ACTIVATION) / _NUISANCE**0.5
        self._base = self._normal(_ACTIVATION)
        self._base[:4] *= 12
        self._gains = (0.3 * self._normal(_ACTIVATION)).exp()
        world = self.places(_WORLD, 0.5)
        latent, labels = self._within(world, 10, 1.8)
        activations = self._seen(latent)
        wanted = 0.5 * normalize(latent, dim=-1) @ self._meaning
        wanted = wanted + 0.78 * self._image + 0.38 * self._common
        ridge = activations.T @ activations + 30 * torch.eye(_ACTIVATION)
        projection = torch.linalg.solve(ridge, activations.T @ wanted).T.contiguous()
        self.head = Head(projection, torch.eye(_EMBEDDING), logit_scale=100.0)
        shown = torch.randperm(len(labels), generator=self._random)[:PAIRS]
        captions = self.texts(world, 0.3)[labels[shown]]
        captions = captions + 0.05 * self._normal(PAIRS, _EMBEDDING) / _EMBEDDING**0.5
        self.pairs = (activations[shown], captions)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._random)

    def places(self, classes: int, related: float) -> Float[Tensor, "C L"]:
        """Means of classes, of which so much is their superclass's."""
        groups = max(2, classes // 8)
        common = self._normal(groups, _LATENT)[torch.arange(classes) % groups]
        own = self._normal(classes, _LATENT)
        return (related * common + (1 - related**2) ** 0.5 * own) * self._decay

    def drawn(
        self, places: Float[Tensor, "C L"], each: int, spread: float
    ) -> tuple[Float[Tensor, "n P"], Int[Tensor, "n"]]:
        """Activations of so many images of each class, and their classes."""
        latent, labels = self._within(places, each, spread)
        return self._seen(latent), labels

    def _within(
        self, places: Float[Tensor, "C L"], each: int, spread: float
    ) -> tuple[Float[Tensor, "n L"], Int[Tensor, "n"]]:
        """Around the means, some nearer than others."""
        labels = torch.arange(len(places)).repeat_interleave(each)
        widths = 0.45 + 0.6 * torch.rand(len(labels), 1, generator=self._random)
        off = spread * widths * self._decay * self._normal(len(labels), _LATENT)
        return places[labels] + off, labels

    def _seen(self, latent: Float[Tensor, "n L"]) -> Float[Tensor, "n P"]:
        nuisance = self._normal(len(latent), _NUISANCE) @ self._nuisance
        mixed = 3 * latent @ self._lift + nuisance + self._base
        return layer_norm(mixed, (_ACTIVATION,)) * self._gains

    def texts(self, places: Float[Tensor, "C L"], noise: float) -> Float[Tensor, "C D"]:
        off = normalize(self._decay * self._normal(*places.shape), dim=-1)
        directions = normalize(normalize(places, dim=-1) + noise * off, dim=-1)
        return 0.42 * directions @ self._meaning + 0.8 * self._text + 0.42 * self._common
