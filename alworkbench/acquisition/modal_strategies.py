"""modAL's strategies for our learners; `modal` goes the other way.

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

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from alworkbench.acquisition.cost import Cost, Size, of_draws, of_logits
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy


@dataclass(frozen=True, slots=True)
class AsClassifier:
    """Our learner as modAL's strategies see one: fitted, asked about the candidates alone."""

    probabilities: np.ndarray
    """N x C, of the candidates."""
    X_training: np.ndarray | None = None
    """What it learned from; None before any label."""
    on_transformed: bool = False

    @property
    def images(self) -> int:
        """How many images can be asked."""
        return len(self.probabilities)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Class probabilities (N, C). Raises ValueError for another number of rows."""
        if len(X) != len(self.probabilities):
            raise ValueError(f"{len(self.probabilities)} images may be asked about, found {len(X)}")
        return self.probabilities


@dataclass(frozen=True, slots=True)
class AsCommittee:
    """Joint draws of our posterior as a committee of modAL, asked about one block of candidates."""

    members: np.ndarray
    """Probabilities, N x K x C."""

    @property
    def images(self) -> int:
        """How many images can be asked."""
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
        """The likeliest class of each member: N x K."""
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
    """Block by block: all draws of all candidates would not fit the memory."""
    for block in context.drawn_probabilities():  # K n C
        yield AsCommittee(block.permute(1, 0, 2).cpu().numpy().astype(np.float64))


def _by_measure(
    context: AcquisitionContext,
    measure: Callable[..., np.ndarray],
    asked: Iterable[AsClassifier | AsCommittee],
    *,
    smallest: bool = False,
) -> Batch:
    """The batch of a measure of modAL, by modAL's way of taking the largest (or smallest) values.

    Best first, the earlier image where two are alike.
    """
    from modAL.utils.selection import multi_argmax, multi_argmin

    # The measures hand on what stands for the images, and look at no more of it than its length.
    values = np.concatenate([measure(one, np.zeros((one.images, 1))) for one in asked])
    take = multi_argmin if smallest else multi_argmax
    indices, scores = take(values, min(context.batch_size, len(values)))
    best = np.lexsort((indices, scores if smallest else -scores))
    return _answer(context, indices[best], scores[best])


def _answer(context: AcquisitionContext, indices: np.ndarray, scores: np.ndarray) -> Batch:
    rows = context.candidates.cpu().numpy()[indices]
    return Batch(tuple(rows.tolist()), tuple(np.asarray(scores, dtype=float).tolist()))


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
    "modal-ranked-batch",
    "modAL's ranked batch: uncertain, and far from what was labelled or picked",
    unit="probability",
    cost=_of_ranked_batch,
    source="Cardoso et al. 2017, doi:10.1016/j.ins.2016.10.037; modAL",
    range="0 to 1 - 1/C",
)
def ranked_batch(context: AcquisitionContext) -> Batch:
    """In the space of the activations. The scores are the uncertainties of the images chosen."""
    from modAL.batch import uncertainty_batch_sampling

    learner = _classifier(context)
    pool = context.table.gather(context.candidates).activations.numpy()
    count = min(context.batch_size, len(pool))
    indices, _ = uncertainty_batch_sampling(learner, pool, count)
    # Without labels modAL starts from the image nearest to all others, looked up by its value: among
    # exact copies it may ask one row twice. The most uncertain image left then stands for it.
    doubt = 1 - learner.probabilities.max(axis=-1)
    rows = list(dict.fromkeys(np.asarray(indices).tolist()))
    taken = set(rows)
    rest = [row for row in np.argsort(-doubt, kind="stable").tolist() if row not in taken]
    rows += rest[: count - len(rows)]
    return _answer(context, np.array(rows), doubt[rows])


@strategy(
    "modal-vote-entropy",
    "modAL's vote entropy, with posterior draws as the committee",
    unit="nats",
    cost=of_draws,
    source="Engelson & Dagan 1996, arXiv:cmp-lg/9606030; modAL",
    range="0 to log C",
)
def vote_entropy(context: AcquisitionContext) -> Batch:
    """modAL's vote entropy, with posterior draws as the committee."""
    from modAL.disagreement import vote_entropy as measure

    return _by_measure(context, measure, _committee(context))


@strategy(
    "modal-consensus-entropy",
    "modAL's consensus entropy, with posterior draws as the committee",
    unit="nats",
    cost=of_draws,
    source=_SOURCE,
    range="0 to log C",
)
def consensus_entropy(context: AcquisitionContext) -> Batch:
    """modAL's consensus entropy, with posterior draws as the committee."""
    from modAL.disagreement import consensus_entropy as measure

    return _by_measure(context, measure, _committee(context))


@strategy(
    "modal-max-disagreement",
    "modAL's largest divergence of a member, with posterior draws as the committee",
    unit="nats",
    cost=of_draws,
    source="McCallum & Nigam 1998; modAL",
    range="0 and above",
)
def max_disagreement(context: AcquisitionContext) -> Batch:
    """modAL's largest Kullback-Leibler divergence, with posterior draws as the committee."""
    from modAL.disagreement import KL_max_disagreement

    return _by_measure(context, KL_max_disagreement, _committee(context))
