"""Strategies that every other one is measured against: random, and random balanced by class."""

from __future__ import annotations

from dataclasses import replace

import torch

from alworkbench.acquisition.cost import Cost, of_streamed_logits
from alworkbench.acquisition.ranking import predicted_classes
from alworkbench.acquisition.registry import Question, Selection, selection, strategy


@strategy(
    "random",
    "images drawn at random: the yardstick",
    unit="none",
    cost=lambda size: Cost(size.candidates, 8 * size.candidates),
)
def random(question: Question) -> Selection:
    count = len(question.candidates)
    order = torch.randperm(count, generator=question.generator())
    chosen = selection(question, order, torch.zeros(count))
    left = range(count, count - len(chosen.rows), -1)
    return replace(chosen, probabilities=tuple(1 / each for each in left))


@strategy(
    "balanced-random",
    "random, in turn from each class that the model predicts",
    unit="none",
    cost=of_streamed_logits,
)
def balanced_random(question: Question) -> Selection:
    """Each round of turns asks one image of every predicted class, classes in random order."""
    predicted = predicted_classes(question)
    generator = question.generator()
    shuffled = torch.randperm(len(predicted), generator=generator)
    classes = torch.randperm(len(question.learner.class_activations), generator=generator)
    turn = torch.empty(len(predicted), dtype=torch.long)
    for position, label in enumerate(classes.tolist()):
        own = shuffled[predicted[shuffled] == label]
        # turn-major, so that sorting by it goes round the classes
        turn[own] = torch.arange(len(own)) * len(classes) + position
    return selection(question, turn.argsort(), torch.zeros(len(predicted)))
