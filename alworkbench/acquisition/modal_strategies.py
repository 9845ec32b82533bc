"""Strategies of modAL with our learner; `alworkbench.estimators` goes the other way.

modAL: Danka & Horvath 2018, arXiv:1805.00979. It is imported when it is first used. Its classifier is our
learner with its mean probabilities; its committee is K joint draws of the posterior given the labels, one
member each. modAL breaks ties at random from the global generator of NumPy only if it is asked to, which
never happens here.

Dimensions used in this file
    N  candidates
    C  classes
    K  posterior draws, the members of a committee
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from alworkbench.acquisition.cost import Cost, Size, draws_cost, logits_cost
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy


@dataclass(frozen=True, slots=True)
class AsClassifier:
    """Our learner with the interface that modAL expects, for the candidates alone."""

    probabilities: np.ndarray
    """Of the candidates, N x C."""
    X_training: np.ndarray | None = None
    """Activations of the labelled images; None before any label."""
    on_transformed: bool = False

    @property
    def images(self) -> int:
        """Number of candidates."""
        return len(self.probabilities)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Class probabilities (N, C). Raises ValueError for another number of rows."""
        if len(X) != len(self.probabilities):
            raise ValueError(
                f"{len(self.probabilities)} candidates have probabilities, found {len(X)}"
            )
        return self.probabilities


@dataclass(frozen=True, slots=True)
class AsCommittee:
    """Joint posterior draws with the interface of a modAL committee, for one block of candidates."""

    members: np.ndarray
    """Probabilities, N x K x C."""

    @property
    def images(self) -> int:
        """Number of candidates."""
        return len(self.members)

    def __len__(self) -> int:
        return self.members.shape[1]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    @property
    def classes_(self) -> np.ndarray:
        """Class indices 0 to C - 1."""
        return np.arange(self.members.shape[2])

    def vote(self, X: np.ndarray) -> np.ndarray:
        """The most likely class by each member: N x K."""
        return self.members.argmax(axis=2)

    def vote_proba(self, X: np.ndarray) -> np.ndarray:
        """Class probabilities (N, K, C) of each image under each draw."""
        return self.members

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Of their mean."""
        consensus: np.ndarray = self.members.mean(axis=1)
        return consensus


def _classifier(context: AcquisitionContext) -> AsClassifier:
    probabilities = context.logits().softmax(dim=-1).cpu().numpy().astype(np.float64)
    known = None
    if len(context.labelled):
        known = context.table.gather(context.labelled).activations.numpy()
    return AsClassifier(probabilities, known)


def _committee(context: AcquisitionContext) -> Iterator[AsCommittee]:
    """One committee for each block: all draws of all candidates would not fit the memory."""
    for block in context.drawn_probabilities():  # K n C
        yield AsCommittee(block.permute(1, 0, 2).cpu().numpy().astype(np.float64))


def _by_measure(
    context: AcquisitionContext,
    measure: Callable[..., np.ndarray],
    views: Iterable[AsClassifier | AsCommittee],
) -> Batch:
    """The candidates with the largest value of a modAL measure, picked by modAL.

    The best comes first; of equal values, the earlier image.
    """
    from modAL.utils.selection import multi_argmax

    # The measures pass the rows on to our class and use only their number.
    values = np.concatenate([measure(one, np.zeros((one.images, 1))) for one in views])
    indices, scores = multi_argmax(values, min(context.batch_size, len(values)))
    best = np.lexsort((indices, -scores))
    return _answer(context, indices[best], scores[best])


def _answer(context: AcquisitionContext, indices: np.ndarray, scores: np.ndarray) -> Batch:
    rows = context.candidates.cpu().numpy()[indices]
    return Batch(tuple(rows.tolist()), tuple(np.asarray(scores, dtype=float).tolist()))


def _of_ranked_batch(size: Size) -> Cost:
    """Every pick compares all remaining images with all that are labelled or picked."""
    distances = size.candidates * (size.labelled + size.batch // 2 + 1) * size.activation
    if not size.labelled:  # without labels modAL compares every image with every other
        distances += size.candidates**2 * size.activation // size.batch
    rows = size.candidates * size.activation * 4
    cold = 0 if size.labelled else 8 * size.candidates**2
    return Cost(size.logits + size.batch * distances, logits_cost(size).memory + 3 * rows + cold)


@strategy("modal-ranked-batch", cost=_of_ranked_batch)
def ranked_batch(context: AcquisitionContext) -> Batch:
    """Distances are those of the activations. The scores are one minus the largest probability."""
    from modAL.batch import uncertainty_batch_sampling

    learner = _classifier(context)
    pool = context.table.gather(context.candidates).activations.numpy()
    count = min(context.batch_size, len(pool))
    indices, _ = uncertainty_batch_sampling(learner, pool, count)
    # Without labels modAL starts from the image nearest to all others and finds it by its values: among
    # exact copies it can return one row twice. The most uncertain remaining image replaces the second.
    uncertainty = 1 - learner.probabilities.max(axis=-1)
    rows = list(dict.fromkeys(np.asarray(indices).tolist()))
    taken = set(rows)
    rest = [row for row in np.argsort(-uncertainty, kind="stable").tolist() if row not in taken]
    rows += rest[: count - len(rows)]
    return _answer(context, np.array(rows), uncertainty[rows])


@strategy("modal-vote-entropy", cost=draws_cost)
def vote_entropy(context: AcquisitionContext) -> Batch:
    """modAL's vote entropy, with posterior draws as the committee."""
    from modAL.disagreement import vote_entropy as measure

    return _by_measure(context, measure, _committee(context))


@strategy("modal-consensus-entropy", cost=draws_cost)
def consensus_entropy(context: AcquisitionContext) -> Batch:
    """modAL's consensus entropy, with posterior draws as the committee."""
    from modAL.disagreement import consensus_entropy as measure

    return _by_measure(context, measure, _committee(context))


@strategy("modal-max-disagreement", cost=draws_cost)
def max_disagreement(context: AcquisitionContext) -> Batch:
    """modAL's largest Kullback-Leibler divergence, with posterior draws as the committee."""
    from modAL.disagreement import KL_max_disagreement

    return _by_measure(context, KL_max_disagreement, _committee(context))
