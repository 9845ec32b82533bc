"""Prompt tuning as it is published: full sequences, autograd through the model, an optimiser, 77 tokens.

The plain twin of `alworkbench.prompts.tuning`: nothing is shared between images, cut or cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn.functional import normalize


@dataclass(frozen=True)
class DirectAnswer:
    context: Tensor
    pooled: Tensor
    features: Tensor
    probabilities: Tensor
    selected: Tensor
    loss: Tensor


def text_parts(model: Any) -> Any:
    return model if isinstance(model, CLIP) else model.text


def direct_pooled(model: Any, ids: Tensor, context: Tensor) -> Tensor:
    """Activations of the end token with the context in the places 1 to K."""
    tower = text_parts(model)
    x = tower.token_embedding(ids)
    places = len(context)
    x = torch.cat([x[:, :1], context.expand(len(ids), -1, -1), x[:, 1 + places :]], dim=1)
    x = tower.transformer(x + tower.positional_embedding, attn_mask=tower.attn_mask)
    x = tower.ln_final(x)
    return x[torch.arange(len(ids)), ids.argmax(dim=-1)]


def direct_features(model: Any, pooled: Tensor) -> Tensor:
    projection = text_parts(model).text_projection
    if projection is None:
        return normalize(pooled, dim=-1)
    out = projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection
    return normalize(out, dim=-1)


def direct_selection(logits: Tensor, share: float) -> Tensor:
    chances = logits.softmax(dim=-1)
    entropies = -(chances * chances.log()).sum(dim=-1)
    return entropies.argsort(stable=True)[: max(1, int(len(logits) * share))]


def direct_entropy(logits: Tensor) -> Tensor:
    """Of the mean of the probabilities."""
    mean = logits.softmax(dim=-1).mean(dim=0)
    return -(mean * mean.log()).sum()


def direct_dispersion(features: Tensor) -> Tensor:
    centre = sum(features) / len(features)
    return sum((centre - each).pow(2).sum().sqrt() for each in features) / len(features)


def direct_non_orthogonality(features: Tensor) -> Tensor:
    """Each row of the cosine matrix, reflected by a Householder matrix onto its own axis."""
    cosines = features @ features.T
    unit = torch.eye(len(features), dtype=features.dtype)
    far = []
    for row, axis in zip(cosines, unit, strict=True):
        mirror = row - row.norm() * axis
        mirror = mirror / mirror.norm()
        reflected = (unit - 2 * torch.outer(mirror, mirror)) @ row
        far.append((reflected - axis).norm())
    return sum(far) / len(far)


def direct_angle(features: Tensor) -> Tensor:
    """Mean angle to the nearest other class."""
    nearest = []
    for k, each in enumerate(features):
        others = torch.cat([features[:k], features[k + 1 :]])
        nearest.append((others @ each).clamp(-0.99999, 0.99999).acos().min())
    return sum(nearest) / len(nearest)


PENALTIES = {
    "c-tpt": lambda features: -direct_dispersion(features),
    "o-tpt": direct_non_orthogonality,
    "a-tpt": lambda features: -direct_angle(features),
}


def direct_tune(
    model: Any,
    ids: Tensor,
    places: int,
    views: Tensor,
    objective: str,
    weight: float,
    share: float = 0.1,
) -> DirectAnswer:
    """One step of torch's AdamW from the embeddings of the prompts' own tokens."""
    with torch.no_grad():
        start = text_parts(model).token_embedding(ids[0, 1 : 1 + places])
    context = nn.Parameter(start.clone())
    optimiser = torch.optim.AdamW([context], lr=0.005)
    features = direct_features(model, direct_pooled(model, ids, context))
    logits = model.logit_scale.exp() * views @ features.T
    selected = direct_selection(logits.detach(), share)
    loss = direct_entropy(logits[selected])
    if objective in PENALTIES:
        loss = loss + weight * PENALTIES[objective](features)
    context.grad = torch.autograd.grad(loss, context)[0]
    optimiser.step()
    with torch.no_grad():
        pooled = direct_pooled(model, ids, context)
        features = direct_features(model, pooled)
        answer = (model.logit_scale.exp() * views[:1] @ features.T)[0].softmax(dim=-1)
    return DirectAnswer(context.detach(), pooled, features, answer, selected, loss.detach())
