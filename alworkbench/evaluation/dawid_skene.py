"""The model of Dawid and Skene (1979): what the true classes are, and how each person errs.

Each image has one true class, drawn from the shares of the classes. A person p who sees an image of class j
answers class k with probability confusion[p, j, k], whatever the image and whatever others answer. The
probability of each true class, given all answers, comes from expectation-maximisation:

    E   P(class of i = j | answers)  ~  share_j * prod over answers (p, k) to i of confusion[p, j, k]
    M   share_j and confusion[p, j, k] are the expected counts, plus prior counts, normalised

The prior counts of a person and a class are those of RIGHT right answers and SPREAD answers that are spread
evenly over all classes. Without them, a person with few answers is taken for perfect or for useless.
With `prior=0` the result is the maximum of the likelihood. `crowd-kit` has the same method and is no
dependency, because it brings nltk, pyarrow and a client of a model hub for these lines; its results
(version 1.4.2) are in the tests.

Dimensions used in this file
    A  answers
    N  images
    P  people
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

RIGHT = 4.0
SPREAD = 1.0
_MOST_ITERATIONS = 500
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """What the answers say of images and of people."""

    probabilities: Float[np.ndarray, "N C"]
    """Of each class, given all answers."""
    confusion: Float[np.ndarray, "P C C"]
    """confusion[p, j, k]: how often person p answers k to images of class j."""
    shares: Float[np.ndarray, "C"]
    """How common each class is."""


def dawid_skene(
    images: Int[np.ndarray, "A"],
    people: Int[np.ndarray, "A"],
    classes: Int[np.ndarray, "A"],
    class_count: int,
    prior: float = 1.0,
    tolerance: float = 1e-8,
) -> DawidSkene:
    """Answer a says that image images[a] has the class classes[a], and is by person people[a].

    All are indices from 0, and every image has an answer. `prior` scales the prior counts. Raises
    ValueError without an answer.
    """
    if len(images) == 0:
        raise ValueError("the model of Dawid and Skene needs an answer")
    count = int(images.max()) + 1
    votes = np.zeros((count, class_count))
    np.add.at(votes, (images, classes), 1.0)
    found = votes / votes.sum(axis=1, keepdims=True)
    before = prior * (RIGHT * np.eye(class_count) + SPREAD / class_count)
    for _ in range(_MOST_ITERATIONS):
        counts = np.zeros((int(people.max()) + 1, class_count, class_count))
        np.add.at(counts, (people, classes), found[images])  # P C C: person, answer, true class
        counts = counts.transpose(0, 2, 1) + before
        confusion = counts / np.maximum(counts.sum(axis=2, keepdims=True), _SMALLEST)
        shares = (found.sum(axis=0) + prior / class_count) / (count + prior)
        logs = np.tile(np.log(np.maximum(shares, _SMALLEST)), (count, 1))
        np.add.at(logs, images, np.log(np.maximum(confusion[people, :, classes], _SMALLEST)))
        logs -= logs.max(axis=1, keepdims=True)
        new = np.exp(logs)
        new /= new.sum(axis=1, keepdims=True)
        change = float(np.abs(new - found).max())
        found = new
        if change < tolerance:
            break
    return DawidSkene(found, confusion, shares)
