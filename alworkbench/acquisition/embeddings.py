"""Unit embeddings of the candidates, for strategies that compare images by distance.

The embeddings are those of the model before any label. Squared distances are |u - v|^2 = 2 - 2 u . v.
Labels do not change them, so an image that is typical in one round is typical in the next.

Dimensions used in this file
    N  images
    V  vectors to compare with
    P  activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from alworkbench.acquisition.cost import Size
from alworkbench.acquisition.score import joined
from alworkbench.acquisition.strategy import AcquisitionContext


def embedding_row(size: Size) -> int:
    """Bytes of one image while it is embedded."""
    return 4 * (2 * size.activation + 4 * size.embedding)


def unit_blocks(
    context: AcquisitionContext, rows: Int[Tensor, "n"], held: int = 0
) -> Iterator[Float[Tensor, "b D"]]:
    """Unit embeddings of these rows of the table, block by block, in order."""
    head = context.learner.model.head
    for features in context.blocks(rows, embedding_row(context.size), held):
        yield normalize(head.embed_images(features), dim=-1)


def unit_embeddings(
    context: AcquisitionContext, rows: Int[Tensor, "n"], held: int = 0
) -> Float[Tensor, "n D"]:
    """Unit embeddings of these rows in one tensor. `held` is the number of bytes in use beside it."""
    size = context.size
    own = 4 * len(rows) * size.embedding
    whole = torch.empty(len(rows), size.embedding, device=context.learner.class_activations.device)
    done = 0
    for block in unit_blocks(context, rows, held + own):
        whole[done : done + len(block)] = block
        done += len(block)
    return whole


class Cosines:
    """Cosines of all candidates with any vectors.

    The embeddings are held in memory if they fit half of it. Otherwise every request streams the features
    again: u . v = (phi . W^T v + r . v) / |g| takes P + D operations for an image and a vector, and the image
    is not embedded again.
    """

    def __init__(self, context: AcquisitionContext) -> None:
        size = context.size
        self._context = context
        self._head = context.learner.model.head
        self._held: Tensor | None = None
        if 8 * size.candidates * size.embedding <= context.memory:
            self._held = unit_embeddings(context, context.candidates)
        else:
            norms = (
                self._head.embed_images(features).norm(dim=-1)
                for features in context.blocks(context.candidates, embedding_row(size))
            )
            self._norms = joined(norms, size.candidates, context.learner.class_activations.device)

    def of(self, positions: Int[Tensor, "V"]) -> Float[Tensor, "V D"]:
        """Unit embeddings of the candidates at these positions."""
        if self._held is not None:
            return self._held[positions.to(self._held.device)]
        rows = self._context.candidates.cpu()[positions.cpu()]
        return torch.cat(list(unit_blocks(self._context, rows)))

    def nearest(self, vectors: Float[Tensor, "V D"]) -> Float[Tensor, "N"]:
        """The largest cosine of each candidate with any of these vectors."""
        if self._held is not None:
            return torch.cat([_largest(part, vectors) for part in self._held.split(8192)])
        size = self._context.size
        back = vectors @ self._head.image_projection  # V P
        found, done = torch.empty_like(self._norms), 0
        row = embedding_row(size) + 8 * len(vectors)
        for features in self._context.blocks(self._context.candidates, row):
            products = features.activations @ back.T  # n V
            if features.residuals is not None:
                products += features.residuals @ vectors.T
            norms = self._norms[done : done + len(products)]
            found[done : done + len(products)] = products.amax(dim=-1) / norms
            done += len(products)
        return found

    def mean(self) -> Float[Tensor, "D"]:
        """The mean unit embedding."""
        if self._held is not None:
            return self._held.mean(dim=0)
        blocks = unit_blocks(self._context, self._context.candidates)
        total = sum(block.sum(dim=0) for block in blocks)
        assert isinstance(total, Tensor)
        return total / len(self._context.candidates)


def _largest(part: Float[Tensor, "n D"], vectors: Float[Tensor, "V D"]) -> Float[Tensor, "n"]:
    return torch.cat(
        [(part @ some.T).amax(dim=-1, keepdim=True) for some in vectors.split(4096)], dim=-1
    ).amax(dim=-1)
