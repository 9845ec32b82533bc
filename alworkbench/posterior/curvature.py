"""The curvature of a contrastive loss in one projection, summed over pairs, in Kronecker factors.

For a projection W with embeddings g_i = W phi_i, the generalised Gauss-Newton of the loss is
approximated by A (x) B with A = sum phi_i phi_i^T and B = sum J_i^T Lambda_i J_i, where
J_i = dz_i / dg_i is the Jacobian of the logits and Lambda_i the curvature of the loss in the logits.
Baumann et al., arXiv:2412.06014; Ritter et al., "A scalable Laplace approximation", ICLR 2018.

No D x D matrix is formed for a single example. With u_i = g_i / |g_i|, unit targets T, cosines S,
w_i = s^2 / |g_i|^2 and P = softmax(z), J_i = (s / |g_i|) (T - S_i u_i^T) gives, summed,

    B = T^T diag(q) T - Y^T w Y - U^T w R - R^T w U + U^T diag(w a) U
    q = sum_i w_i P_i     Y = P T     m_i = sum_c P_ic S_ic     R = (P * S) T - m Y
    a_i = sum_c P_ic S_ic^2 - m_i^2

which costs O(N C D) instead of O(N C D^2). For SigLIP, Lambda is diagonal: P becomes sigma (1 - sigma),
and Y and m are dropped.

The terms of B are of the size sum_ic w_i P_ic, which is sum_i w_i for a softmax, and where the model is
nearly certain they cancel to almost nothing. Everything is therefore computed in float64, whatever the type
of the embeddings, and a ridge of RIDGE times that size is added to the diagonal. It is larger than the
rounding errors, so that B is positive definite for every input: for two images, for a pool of low rank, and
for a model that is always certain.

Dimensions used in this file
    N  sources (the side whose projection is uncertain)
    C  targets (the other side, held fixed)
    P  activation size of the source side
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.encoders.head import Features, Head, Loss

DEFAULT_BUDGET = 256 * 2**20
"""Bytes that the logits of one block may take, with their temporaries."""

RIDGE = 1e-12
"""The ridge of B as a share of the size of its terms. Rounding errors in float64 are below 1e-13 of it."""
SMALLEST = 1e-100
"""The ridge at least: where every sigmoid is 0 or 1 to the last digit, the terms are zero."""

_TEMPORARIES = 4  # logits, weights, weights * cosines, and an exponential


@dataclass(frozen=True, slots=True)
class KroneckerFactors:
    """Curvature sums of one projection. The sums of disjoint sets of pairs can be added."""

    activation: Float[Tensor, "P P"]
    """A = sum phi phi^T, float64."""
    embedding: Float[Tensor, "D D"]
    """B = sum J^T Lambda J, with its ridge, float64."""
    pairs: int

    def __add__(self, other: KroneckerFactors) -> KroneckerFactors:
        return KroneckerFactors(
            self.activation + other.activation,
            self.embedding + other.embedding,
            self.pairs + other.pairs,
        )

    def to(self, device: torch.device | str) -> KroneckerFactors:
        """The same on another device."""
        return KroneckerFactors(self.activation.to(device), self.embedding.to(device), self.pairs)


@dataclass(frozen=True, slots=True)
class PairFactors:
    """The factors of both projections, from the same image-caption pairs."""

    image: KroneckerFactors
    text: KroneckerFactors

    def __add__(self, other: PairFactors) -> PairFactors:
        return PairFactors(self.image + other.image, self.text + other.text)


def activation_factor(activations: Float[Tensor, "N P"], rows: int = 8192) -> Float[Tensor, "P P"]:
    """sum_i phi_i phi_i^T in float64."""
    size = activations.shape[1]
    total = torch.zeros(size, size, dtype=torch.float64, device=activations.device)
    for block in activations.split(rows):
        block = block.double()
        total += block.T @ block
    return _symmetric(total)


def infonce_curvature(
    sources: Float[Tensor, "N D"],
    targets: Float[Tensor, "C D"],
    logit_scale: float,
    *,
    budget: int = DEFAULT_BUDGET,
) -> Float[Tensor, "D D"]:
    """sum_i J_i^T (diag(p_i) - p_i p_i^T) J_i for a softmax over the targets, with the ridge, in float64.

    Sources and targets need not be normalised. Both are processed in blocks: the logits that exist at
    once take at most `budget` bytes.
    """
    units = _normalised(targets.double())  # C D
    weighted_targets = torch.zeros(len(targets), dtype=torch.float64, device=targets.device)  # C
    size = sources.shape[1]
    total = torch.zeros(size, size, dtype=torch.float64, device=sources.device)
    ridge = torch.zeros((), dtype=torch.float64, device=sources.device)
    rows, columns = _block_shape(len(sources), len(targets), units.element_size(), budget)
    for block in sources.split(rows):
        block = block.double()
        unit = _normalised(block)  # n D
        weight = (logit_scale / block.norm(dim=-1)) ** 2  # n
        ridge += RIDGE * weight.sum()
        whole = columns >= len(units)
        if whole:  # with one block of columns, its cosines are computed once
            cosines = unit @ units.T  # n C
            log_normaliser = (logit_scale * cosines).logsumexp(dim=-1)
        else:
            log_normaliser = torch.full_like(weight, -torch.inf)
            for part in units.split(columns):
                logits = logit_scale * unit @ part.T  # n c
                log_normaliser = torch.logaddexp(log_normaliser, logits.logsumexp(dim=-1))
        mean = torch.zeros_like(block)  # n D: Y
        mean_cosine = torch.zeros_like(weight)  # n: m
        square_cosine = torch.zeros_like(weight)  # n
        cross = torch.zeros_like(block)  # n D: (P * S) T
        for start in range(0, len(units), columns):
            part = units[start : start + columns]
            if not whole:
                cosines = unit @ part.T  # n c
            probabilities = (logit_scale * cosines - log_normaliser[:, None]).exp_()  # n c
            weighted_targets[start : start + columns] += weight @ probabilities
            mean += probabilities @ part
            product = probabilities.mul_(cosines)  # n c
            mean_cosine += product.sum(dim=-1)
            cross += product @ part
            square_cosine += product.mul_(cosines).sum(dim=-1)
        cross -= mean_cosine[:, None] * mean  # R
        spread = square_cosine - mean_cosine**2  # a
        outer = unit.T @ (weight[:, None] * cross)  # D D
        total += (
            unit.T @ ((weight * spread)[:, None] * unit)
            - mean.T @ (weight[:, None] * mean)
            - outer
            - outer.T
        )
    total.diagonal().add_(ridge.clamp_min(SMALLEST))
    return _symmetric(total + _weighted_gram(units, weighted_targets))


def siglip_curvature(
    sources: Float[Tensor, "N D"],
    targets: Float[Tensor, "C D"],
    logit_scale: float,
    logit_bias: float,
    *,
    budget: int = DEFAULT_BUDGET,
) -> Float[Tensor, "D D"]:
    """sum_i J_i^T diag(sigma(z_i) (1 - sigma(z_i))) J_i for pairwise sigmoids, with the ridge, in float64.

    Blocks and budget are those of `infonce_curvature`.
    """
    units = _normalised(targets.double())  # C D
    weighted_targets = torch.zeros(len(targets), dtype=torch.float64, device=targets.device)  # C
    size = sources.shape[1]
    total = torch.zeros(size, size, dtype=torch.float64, device=sources.device)
    ridge = torch.zeros((), dtype=torch.float64, device=sources.device)
    rows, columns = _block_shape(len(sources), len(targets), units.element_size(), budget)
    for block in sources.split(rows):
        block = block.double()
        unit = _normalised(block)  # n D
        weight = (logit_scale / block.norm(dim=-1)) ** 2  # n
        cross = torch.zeros_like(block)  # n D
        spread = torch.zeros_like(weight)  # n
        for start in range(0, len(units), columns):
            part = units[start : start + columns]
            cosines = unit @ part.T  # n c
            logits = logit_scale * cosines + logit_bias
            slope = torch.sigmoid(logits)  # n c
            slope.mul_(logits.neg_().sigmoid_())  # unlike 1 - sigma, exact in both tails
            ridge += RIDGE * (weight @ slope).sum()
            weighted_targets[start : start + columns] += weight @ slope
            product = slope.mul_(cosines)
            cross += product @ part
            spread += product.mul_(cosines).sum(dim=-1)
        outer = unit.T @ (weight[:, None] * cross)  # D D
        total += unit.T @ ((weight * spread)[:, None] * unit) - outer - outer.T
    total.diagonal().add_(ridge.clamp_min(SMALLEST))
    return _symmetric(total + _weighted_gram(units, weighted_targets))


def embedding_factor(
    sources: Float[Tensor, "N D"],
    targets: Float[Tensor, "C D"],
    logit_scale: float,
    logit_bias: float,
    loss: Loss,
    *,
    budget: int = DEFAULT_BUDGET,
) -> Float[Tensor, "D D"]:
    """The factor B for either loss, in float64."""
    if loss == "siglip":
        return siglip_curvature(sources, targets, logit_scale, logit_bias, budget=budget)
    return infonce_curvature(sources, targets, logit_scale, budget=budget)


def pair_batches(pairs: int, batch: int) -> Iterator[slice]:
    """Consecutive slices of `batch` pairs, which the loss compares; the last may be smaller."""
    for start in range(0, pairs, batch):
        yield slice(start, min(start + batch, pairs))


def pair_curvature(
    head: Head,
    images: Features,
    texts: Float[Tensor, "N Q"],
    *,
    batch: int,
    budget: int = DEFAULT_BUDGET,
) -> PairFactors:
    """Factors of both projections from N image-caption pairs.

    `batch` is the number of pairs that the contrastive loss compares at once (in its denominator): each
    image with the captions of its batch, each caption with the images. A larger batch has a larger
    curvature; it should be of the order of the batches in training.
    """
    if len(images) != len(texts):
        raise ValueError(f"pairs are needed: found {len(images)} images and {len(texts)} captions")
    image_embeddings = head.embed_images(images)
    text_embeddings = head.embed_texts(texts)
    size = image_embeddings.shape[1]
    image_side = torch.zeros(size, size, dtype=torch.float64, device=image_embeddings.device)
    text_side = torch.zeros_like(image_side)
    for part in pair_batches(len(texts), batch):
        image, text = image_embeddings[part], text_embeddings[part]
        scale, bias = head.logit_scale, head.logit_bias
        image_side += embedding_factor(image, text, scale, bias, head.loss, budget=budget)
        text_side += embedding_factor(text, image, scale, bias, head.loss, budget=budget)
    return PairFactors(
        KroneckerFactors(activation_factor(images.activations), image_side, len(texts)),
        KroneckerFactors(activation_factor(texts), text_side, len(texts)),
    )


def _block_shape(sources: int, targets: int, element_size: int, budget: int) -> tuple[int, int]:
    """Rows and columns of the largest block of logits within the budget; columns are reduced first."""
    cells = max(1, budget // (element_size * _TEMPORARIES))
    columns = min(targets, max(1, cells // min(sources, 256)))
    rows = min(sources, max(1, cells // columns))
    return rows, columns


def _normalised(vectors: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _weighted_gram(
    vectors: Float[Tensor, "C D"], weights: Float[Tensor, "C"], rows: int = 1024
) -> Float[Tensor, "D D"]:
    """sum_c weight_c t_c t_c^T, in blocks."""
    size = vectors.shape[1]
    total = torch.zeros(size, size, dtype=vectors.dtype, device=vectors.device)
    for part, weight in zip(vectors.split(rows), weights.split(rows), strict=True):
        total += part.T @ (weight[:, None] * part)
    return total


def _symmetric(matrix: Float[Tensor, "D D"]) -> Float[Tensor, "D D"]:
    return (matrix + matrix.T) / 2
