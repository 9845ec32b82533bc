"""Templates ranked without labels: by dispersion, among those that agree with the ensemble of all.

Among templates of nearly the same accuracy, a larger dispersion of the text embeddings (ATFD) went with a
smaller calibration error (Yoon et al., 2024, arXiv:2403.14119). Without labels nobody knows the accuracy.
Agreement with the ensemble of all templates takes its place:

    1  agreement of a template = share of the pool's images to which it gives the answer of the ensemble
    2  keep templates whose agreement is at most MARGIN below the best agreement
    3  rank these by ATFD, the largest first

This is a hint, and no guarantee: docs/experiments/prompts.md. With labels of an audit set, templates can be
ranked by the likelihood of these labels (NLPD) instead.

Dimensions used in this file
    N  images of the pool
    T  templates
    C  classes
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.encoders.head import Head
from alworkbench.prompts.audit_figures import AuditFigures, AuditPart
from alworkbench.prompts.dispersion import text_feature_dispersion
from alworkbench.prompts.ensembles import class_ensemble, probabilities_of, unit_texts

MARGIN = 0.03
"""A template is kept if its agreement is at most this share below the best one. The published correlation
is about templates within 3 points of the best accuracy."""

Criterion = Literal["atfd", "nlpd"]


@dataclass(frozen=True, slots=True)
class TemplateFigures:
    """One template, or the ensemble of all, on the images of a pool."""

    template: str
    """Empty for the ensemble."""
    atfd: float
    """Average text feature dispersion, between 0 and 1."""
    agreement: float
    """Share of the pool's images to which it gives the answer of the ensemble of all templates."""
    confidence: float
    """Mean probability of the predicted class over the pool."""
    kept: bool
    """Whether the agreement is within MARGIN of the best one."""
    audit: AuditFigures | None = None
    """None without labels of an audit set."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Templates, the best first; those that were not kept come last, by agreement."""

    by: Criterion
    templates: tuple[TemplateFigures, ...]
    ensemble: TemplateFigures
    """All templates together, averaged in feature space."""
    images: int
    """Images of the pool that agreement and confidence are measured on."""
    audit_images: int


def rank_templates(
    head: Head,
    templates: Sequence[str],
    activations: Float[Tensor, "T C Q"],
    pool: Iterable[Float[Tensor, "_ D"]],
    audit: AuditPart | None = None,
    by: Criterion = "atfd",
) -> Ranking:
    """Rank templates on the unit image embeddings of a pool, given in blocks; see the module.

    By NLPD, no template is filtered out. The order of the templates has no effect. Raises ValueError for
    repeated templates, an empty pool, and a ranking by NLPD without an audit part.
    """
    if len(set(templates)) < len(templates) or not templates:
        raise ValueError("each template must be given once, and there must be at least one")
    if by == "nlpd" and not audit:
        raise ValueError("a ranking by NLPD needs labels of an audit set")
    # In an order of their own: sums then have the same last bits, whatever order they were given in.
    order = sorted(range(len(templates)), key=lambda k: templates[k])
    names = ["", *(templates[k] for k in order)]
    activations = activations[order]
    together = unit_texts(head, class_ensemble(head, activations))  # C D
    texts = torch.cat(
        [together[None], unit_texts(head, activations)]
    )  # 1+T C D: the ensemble first
    agree, confidence, images = _over_pool(head, texts, pool)
    if images == 0:
        raise ValueError("ranking templates needs at least one image")
    best = int(agree[1:].max())
    found = [
        TemplateFigures(
            name,
            float(text_feature_dispersion(texts[k].double())),
            int(agree[k]) / images,
            float(confidence[k]) / images,
            best - int(agree[k]) <= MARGIN * images + 1e-9,  # not refused by rounding
            None
            if not audit
            else AuditFigures.of(probabilities_of(head, audit.images, texts[k]), audit.labels),
        )
        for k, name in enumerate(names)
    ]
    ranked = tuple(sorted(found[1:], key=_by_nlpd if by == "nlpd" else _by_dispersion))
    return Ranking(by, ranked, found[0], images, len(audit) if audit else 0)


def _over_pool(
    head: Head, texts: Float[Tensor, "T C D"], pool: Iterable[Float[Tensor, "_ D"]]
) -> tuple[Tensor, Tensor, int]:
    """Agreement with the first classifier and confidence, summed over the images, and their number."""
    agree = torch.zeros(len(texts), dtype=torch.long)
    confidence = torch.zeros(len(texts), dtype=torch.float64)
    images = 0
    for block in pool:
        images += len(block)
        wanted: Tensor | None = None
        for k, each in enumerate(texts):
            top = probabilities_of(head, block, each).max(dim=-1)
            wanted = top.indices if wanted is None else wanted
            agree[k] += int((top.indices == wanted).sum())
            confidence[k] += float(top.values.double().sum())
    return agree, confidence, images


def _by_dispersion(figures: TemplateFigures) -> tuple[bool, float, str]:
    """Kept templates by ATFD, then the others by agreement; equal ones by their text."""
    score = figures.atfd if figures.kept else figures.agreement
    return (not figures.kept, -score, figures.template)


def _by_nlpd(figures: TemplateFigures) -> tuple[float, str]:
    return (figures.audit.nlpd if figures.audit else 0.0, figures.template)
