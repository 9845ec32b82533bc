"""What lists say of each strategy, without the code that computes it: names, summaries, units, sources.

Nothing here imports torch, so that commands which only name a strategy start fast.
"""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.core.errors import UnknownStrategy


@dataclass(frozen=True, slots=True)
class StrategyCard:
    """A strategy as lists show it."""

    name: str
    """Name on the command line and in records; never reused for another strategy."""
    summary: str
    """At most 80 characters."""
    unit: str
    """Unit of the scores: nats, probability, or none."""
    source: str = ""
    """Authors, year, arXiv number."""
    range: str = ""
    """Range of the scores, in their unit."""


CARDS = (
    StrategyCard(
        "coverage",
        "images that represent most of the remaining uncertainty (the default)",
        "share of uncertainty",
        source="ours; facility location: Nemhauser, Wolsey & Fisher 1978",
        range="[0, 1]",
    ),
    StrategyCard(
        "random",
        "images sampled uniformly at random: the baseline",
        "none",
    ),
    StrategyCard(
        "balanced-random",
        "random images, from each predicted class in turn",
        "none",
    ),
    StrategyCard(
        "margin",
        "smallest gap between the two most likely classes (no posterior)",
        "probability",
        source="Scheffer et al. 2001",
        range="0 to 1",
    ),
    StrategyCard(
        "entropy",
        "highest entropy of the prediction (no posterior)",
        "nats",
        source="Settles 2009",
        range="0 to log C",
    ),
    StrategyCard(
        "least-confidence",
        "smallest probability of the most likely class (no posterior)",
        "probability",
        source="Lewis and Gale 1994",
        range="0 to 1 - 1/C",
    ),
    StrategyCard(
        "predictive-entropy",
        "highest entropy of the prediction averaged over the posterior",
        "nats",
        source="Gal et al. 2017, arXiv:1703.02910",
        range="0 to log C",
    ),
    StrategyCard(
        "bald",
        "most information of a label about the model, by joint draws",
        "nats",
        source="Houlsby et al. 2011, arXiv:1112.5745",
        range="0 to log C",
    ),
    StrategyCard(
        "batchbald",
        "greedy batch of most information about the model, by joint draws",
        "nats",
        source="Kirsch et al. 2019, arXiv:1906.08158",
        range="0 to log C, the batch in all at most log K",
    ),
    StrategyCard(
        "epig",
        "greedy batch with most information about the predictions of the targets",
        "nats",
        source="Bickford Smith et al. 2023, arXiv:2304.08151",
        range="0 to log C",
    ),
    StrategyCard(
        "epig-draws",
        "most information about the targets, each image alone, by joint draws",
        "nats",
        source="Bickford Smith et al. 2023, arXiv:2304.08151",
        range="0 to log C",
    ),
    StrategyCard(
        "power-margin",
        "sampled in proportion to 1 - margin; a small share uniformly",
        "probability",
        source="Kirsch et al. 2021, arXiv:2106.12059",
        range="0 to 1",
    ),
    StrategyCard(
        "power-bald",
        "sampled in proportion to BALD; a small share uniformly",
        "nats",
        source="Kirsch et al. 2021, arXiv:2106.12059",
        range="0 to log C",
    ),
    StrategyCard(
        "badge",
        "k-means++ on gradients of the predicted labels, whitened by the posterior",
        "none",
        source="Ash et al. 2020, arXiv:1906.03671",
        range="0 and above, a squared distance",
    ),
    StrategyCard(
        "coreset",
        "farthest from all labelled images and earlier picks (greedy k-centre)",
        "none",
        source="Sener and Savarese 2018, arXiv:1708.00489",
        range="0 to 2, a distance of unit embeddings",
    ),
    StrategyCard(
        "typiclust",
        "most typical images of the largest unlabelled clusters (cold start)",
        "none",
        source="Hacohen et al. 2022, arXiv:2202.02794",
        range="0 to 1e6, one over a mean distance",
    ),
    StrategyCard(
        "probcover",
        "images whose balls cover most of what no label covers yet (cold start)",
        "none",
        source="Yehuda et al. 2022, arXiv:2205.11320",
        range="0 to N, images newly covered",
    ),
    StrategyCard(
        "targeted",
        "nearest in the pool to the most uncertain targets, by 2-Wasserstein distance",
        "none",
        source="Baumann et al. 2024, arXiv:2412.06014",
        range="0 and above, a distance of embeddings",
    ),
    StrategyCard(
        "modal-ranked-batch",
        "modAL's ranked batch: uncertain, and far from what was labelled or picked",
        "probability",
        source="Cardoso et al. 2017, doi:10.1016/j.ins.2016.10.037; modAL",
        range="0 to 1 - 1/C",
    ),
    StrategyCard(
        "modal-vote-entropy",
        "modAL's vote entropy, with posterior draws as the committee",
        "nats",
        source="Engelson & Dagan 1996, arXiv:cmp-lg/9606030; modAL",
        range="0 to log C",
    ),
    StrategyCard(
        "modal-consensus-entropy",
        "modAL's consensus entropy, with posterior draws as the committee",
        "nats",
        source="modAL, Danka & Horvath 2018, arXiv:1805.00979",
        range="0 to log C",
    ),
    StrategyCard(
        "modal-max-disagreement",
        "modAL's largest divergence of a member, with posterior draws as the committee",
        "nats",
        source="McCallum & Nigam 1998; modAL",
        range="0 and above",
    ),
)
"""The default, baselines, uncertainty, information, sampling, diversity, targets, modAL's."""

RETIRED: dict[str, str] = {
    "balanced-margin": "margin",
    "balanced-entropy": "entropy",
    "balanced-bald": "bald",
    "balanced-epig": "epig",
    "epig-closed": "epig",
    "epig-shortlist": "epig",
    "modal-uncertainty": "least-confidence",
    "modal-margin": "margin",
    "modal-entropy": "entropy",
    "power-least-confidence": "power-margin",
    "power-entropy": "power-margin",
    "power-epig": "power-bald",
    "softmax-entropy": "power-margin",
    "softmax-bald": "power-bald",
    "softmax-epig": "power-bald",
    "softrank-epig": "power-bald",
    "total-variance": "bald",
}
"""Strategies of earlier versions, and the nearest one of today. Stored rounds keep the old names."""


def strategy_card(name: str) -> StrategyCard:
    """The card of this strategy; `default` is accepted too.

    Raises UnknownStrategy, which names the nearest strategy, or what replaces a removed one.
    """
    name = resolve(name)
    known = {card.name: card for card in CARDS}
    if name not in known:
        raise UnknownStrategy(name, known, RETIRED.get(name))
    return known[name]


def resolve(name: str) -> str:
    """The name that records keep: `default` becomes the name of the default strategy."""
    return DEFAULT_STRATEGY if name == "default" else name


def score_unit(name: str) -> str:
    """Unit of the scores in a stored round; empty if its strategy has no card."""
    return next((card.unit for card in CARDS if card.name == name), "")
