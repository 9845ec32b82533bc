"""modAL both ways: our strategies for its learners, and its strategies for ours.

    learner = ActiveLearner(LaplaceVLMClassifier(...), query_strategy=query_strategy("epig"))
    indices, rows = learner.query(X_pool, n_instances=10)
    learner.teach(X_pool[indices], y)

modAL: Danka & Horvath 2018, arXiv:1805.00979. It is imported when it is first used. Its strategies
take ties at random from NumPy's global generator only where they are asked to, which is never done
here. Their classifier is our learner (its mean probabilities); their committee is K joint draws of
the posterior given the labels, one model each.

Dimensions used in this file
    N  images that may be asked
    C  classes
    K  posterior draws, the members of a committee
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size, of_draws, of_logits
from alworkbench.acquisition.registry import Question, Selection, strategy
from alworkbench.domain import Goal

if TYPE_CHECKING:
    from alworkbench.estimator import LaplaceVLMClassifier

TARGETS = 1000
"""Rows of the pool that stand for all of it, where no targets are given."""


# ------------------------------------------------------------------------- our strategies for modAL


class Query(NamedTuple):
    """What modAL wants of a query strategy: it takes the two apart by itself."""

    indices: np.ndarray
    """Of rows of the pool, in the order in which they were chosen."""
    scores: np.ndarray
    """What the strategy thought of each; its unit is the strategy's."""


def query_strategy(
    name: str,
    *,
    targets: Any = None,
    seed: int = 0,
    goal: Goal = Goal.ACCURACY,
    memory: int = 1 << 30,
) -> Callable[..., Query]:
    """A strategy of ours, by name, as modAL's learners call it.

    `targets` are rows like those of the pool whose predictions matter; without any, a sample of the
    pool. The answer depends on the seed, the labels so far and the pool, on nothing else.
    `random_tie_break` shuffles the order in which ties are broken, with the same seed. Raises
    UnknownStrategy.
    """
    from alworkbench.acquisition.catalogue import find_strategy

    chosen = find_strategy(name)
    let_modal_teach()

    def query(
        classifier: Any, X_pool: Any, n_instances: int = 1, random_tie_break: bool = False
    ) -> Query:
        estimator = _estimator_of(classifier)
        question = _question(
            estimator, X_pool, targets, n_instances, seed, goal, memory, random_tie_break
        )
        found = chosen.select(question)
        return Query(np.asarray(found.rows, dtype=np.int64), np.asarray(found.scores))

    query.__name__ = name.replace("-", "_")
    query.__doc__ = chosen.summary
    return query


def _estimator_of(classifier: Any) -> LaplaceVLMClassifier:
    from alworkbench.estimator import LaplaceVLMClassifier

    found = getattr(classifier, "estimator", classifier)
    if not isinstance(found, LaplaceVLMClassifier):
        raise TypeError(
            f"strategies of alworkbench need the posterior of a LaplaceVLMClassifier, found "
            f"{type(found).__name__}: ActiveLearner(estimator=LaplaceVLMClassifier(...), ...)"
        )
    return found


def _question(
    estimator: LaplaceVLMClassifier,
    pool: Any,
    targets: Any,
    batch: int,
    seed: int,
    goal: Goal,
    memory: int,
    shuffled: bool,
) -> Question:
    """Pool, targets and labelled rows in one table, in this order: rows of the pool keep their number."""
    from alworkbench.features import FeatureTable
    from alworkbench.heads import Features

    parts = [estimator.features(pool)]
    count = len(parts[0])
    generator = torch.Generator().manual_seed(seed)
    if targets is None:
        wanted = torch.randperm(count, generator=generator)[:TARGETS].sort().values
    else:
        parts.append(estimator.features(targets))
        wanted = torch.arange(count, count + len(parts[1]))
    labelled, labels = torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    if (seen := estimator.labelled()) is not None:
        start = sum(len(part) for part in parts)
        parts.append(seen[0])
        labelled, labels = torch.arange(start, start + len(seen[0])), seen[1]
    features = Features.concatenate(parts)
    order = torch.randperm(count, generator=generator) if shuffled else torch.arange(count)
    return Question(
        table=FeatureTable.from_features([str(row) for row in range(len(features))], features),
        candidates=order,
        targets=wanted,
        learner=estimator.learner(),
        batch_size=batch,
        seed=seed + len(labelled),
        draw_seed=seed,
        labelled=labelled,
        labels=labels,
        goal=goal,
        draws=estimator.draws,
        memory=memory,
    )


@lru_cache
def let_modal_teach() -> None:
    """Let `ActiveLearner.teach` of modAL 0.4.2.1 work with scikit-learn 1.8 and newer.

    It calls `check_X_y(force_all_finite=...)`, a name that scikit-learn gave up for
    `ensure_all_finite`. modAL's own reference to the function is replaced by one that takes the old
    name; scikit-learn is left alone, and so is a modAL that needs no help.
    """
    import modAL.models.learners as learners
    from sklearn.utils import check_X_y

    if "force_all_finite" in inspect.signature(check_X_y).parameters:
        return
    if learners.check_X_y is check_X_y:

        def check(*arguments: Any, force_all_finite: bool = True, **others: Any) -> Any:
            return check_X_y(*arguments, ensure_all_finite=force_all_finite, **others)

        learners.check_X_y = check


# ------------------------------------------------------------------------- modAL's strategies for us


@dataclass(frozen=True, slots=True)
class AsClassifier:
    """Our learner as modAL's strategies see one: fitted, asked about the candidates alone."""

    probabilities: np.ndarray
    """N x C, of the candidates."""
    X_training: np.ndarray | None = None
    """What it learned from; None before any label."""
    on_transformed: bool = False

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        if len(X) != len(self.probabilities):
            raise ValueError(f"{len(self.probabilities)} images may be asked about, found {len(X)}")
        return self.probabilities


@dataclass(frozen=True, slots=True)
class AsCommittee:
    """Joint draws of our posterior as a committee of modAL, asked about one block of candidates."""

    members: np.ndarray
    """Probabilities, N x K x C."""

    def __len__(self) -> int:
        return self.members.shape[1]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    @property
    def classes_(self) -> np.ndarray:
        return np.arange(self.members.shape[2])

    def vote(self, X: np.ndarray) -> np.ndarray:
        """The likeliest class of each member: N x K."""
        return self.members.argmax(axis=2)

    def vote_proba(self, X: np.ndarray) -> np.ndarray:
        return self.members

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Of their mean."""
        consensus: np.ndarray = self.members.mean(axis=1)
        return consensus


def _probabilities(question: Question) -> np.ndarray:
    found: np.ndarray = question.logits().softmax(dim=-1).cpu().numpy().astype(np.float64)
    return found


def _places(count: int) -> np.ndarray:
    """Stands for the images where a strategy looks at their number alone."""
    return np.arange(count)[:, None]


def _answer(question: Question, indices: np.ndarray, scores: np.ndarray) -> Selection:
    rows = question.candidates.cpu().numpy()[indices]
    return Selection(tuple(rows.tolist()), tuple(np.asarray(scores, dtype=float).tolist()))


def _by_classifier(question: Question, name: str, *, smallest: bool = False) -> Selection:
    """A strategy of `modAL.uncertainty`; its batch is put into the order of its scores."""
    from modAL import uncertainty

    learner = AsClassifier(_probabilities(question))
    count = min(question.batch_size, len(learner.probabilities))
    asked = getattr(uncertainty, name)(learner, _places(len(learner.probabilities)), count)
    return _ordered(question, *asked, smallest=smallest)


def _by_committee(question: Question, name: str) -> Selection:
    """A measure of `modAL.disagreement`, block by block, and its way of taking the largest."""
    from modAL import disagreement
    from modAL.utils.selection import multi_argmax

    measure = getattr(disagreement, name)
    values = np.concatenate(
        [
            measure(AsCommittee(_members(block)), _places(block.shape[1]))
            for block in question.drawn_probabilities()
        ]
    )
    return _ordered(question, *multi_argmax(values, min(question.batch_size, len(values))))


def _members(block: Float[Tensor, "K n C"]) -> np.ndarray:
    members: np.ndarray = block.permute(1, 0, 2).cpu().numpy().astype(np.float64)
    return members


def _ordered(
    question: Question, indices: np.ndarray, scores: np.ndarray, *, smallest: bool = False
) -> Selection:
    """Best first, the earlier image where two are alike."""
    best = np.lexsort((indices, scores if smallest else -scores))
    return _answer(question, indices[best], scores[best])


def _of_ranked_batch(size: Size) -> Cost:
    """Each pick measures all images left against all that were labelled or picked, in full."""
    distances = size.candidates * (size.labelled + size.batch // 2 + 1) * size.activation
    if not size.labelled:  # a cold start compares every image with every other
        distances += size.candidates**2 * size.activation // size.batch
    rows = size.candidates * size.activation * 4
    cold = 0 if size.labelled else 8 * size.candidates**2
    return Cost(size.logits + size.batch * distances, of_logits(size).memory + 3 * rows + cold)


_SOURCE = "modAL, Danka & Horvath 2018, arXiv:1805.00979"


@strategy(
    "modal-uncertainty",
    "modAL's uncertainty sampling: smallest probability of the likeliest class",
    unit="probability",
    cost=of_logits,
    source=_SOURCE,
    range="0 to 1 - 1/C",
)
def uncertainty(question: Question) -> Selection:
    return _by_classifier(question, "uncertainty_sampling")


@strategy(
    "modal-margin",
    "modAL's margin sampling: smallest gap between the two likeliest classes",
    unit="probability",
    cost=of_logits,
    source=_SOURCE,
    range="0 to 1, small is chosen",
)
def margin(question: Question) -> Selection:
    return _by_classifier(question, "margin_sampling", smallest=True)


@strategy(
    "modal-entropy",
    "modAL's entropy sampling: highest entropy of the prediction",
    unit="nats",
    cost=of_logits,
    source=_SOURCE,
    range="0 to log C",
)
def entropy(question: Question) -> Selection:
    return _by_classifier(question, "entropy_sampling")


@strategy(
    "modal-ranked-batch",
    "modAL's ranked batch: uncertain, and far from what was labelled or picked",
    unit="probability",
    cost=_of_ranked_batch,
    source="Cardoso et al. 2017, doi:10.1016/j.ins.2016.10.037; modAL",
    range="0 to 1 - 1/C",
)
def ranked_batch(question: Question) -> Selection:
    """In the space of the activations. The scores are the uncertainties of the images chosen."""
    from modAL.batch import uncertainty_batch_sampling

    known = None
    if len(question.labelled):
        known = question.table.gather(question.labelled).activations.numpy()
    learner = AsClassifier(_probabilities(question), known)
    pool = question.table.gather(question.candidates).activations.numpy()
    count = min(question.batch_size, len(pool))
    indices, _ = uncertainty_batch_sampling(learner, pool, count)
    # Without labels modAL starts from the image nearest to all others, looked up by its value: among
    # exact copies it may ask one row twice. The most uncertain image left then stands for it.
    doubt = 1 - np.asarray(learner.probabilities).max(axis=-1)
    rows = list(dict.fromkeys(np.asarray(indices).tolist()))
    taken = set(rows)
    rest = [row for row in np.argsort(-doubt, kind="stable").tolist() if row not in taken]
    rows += rest[: count - len(rows)]
    return _answer(question, np.array(rows), doubt[rows])


@strategy(
    "modal-vote-entropy",
    "modAL's vote entropy, with posterior draws as the committee",
    unit="nats",
    cost=of_draws,
    source="Engelson & Dagan 1996, arXiv:cmp-lg/9606030; modAL",
    range="0 to log C",
)
def vote_entropy(question: Question) -> Selection:
    return _by_committee(question, "vote_entropy")


@strategy(
    "modal-consensus-entropy",
    "modAL's consensus entropy, with posterior draws as the committee",
    unit="nats",
    cost=of_draws,
    source=_SOURCE,
    range="0 to log C",
)
def consensus_entropy(question: Question) -> Selection:
    return _by_committee(question, "consensus_entropy")


@strategy(
    "modal-max-disagreement",
    "modAL's largest divergence of a member, with posterior draws as the committee",
    unit="nats",
    cost=of_draws,
    source="McCallum & Nigam 1998; modAL",
    range="0 and above",
)
def max_disagreement(question: Question) -> Selection:
    return _by_committee(question, "KL_max_disagreement")
