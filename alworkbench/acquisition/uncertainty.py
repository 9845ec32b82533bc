"""Strategies that rank each image by its own uncertainty and take the top."""

from __future__ import annotations

import torch

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import of_draws, of_logits
from alworkbench.acquisition.registry import Question, Selection, selection, strategy


@strategy(
    "entropy",
    "highest entropy of the model's prediction (no posterior)",
    unit="nats",
    cost=of_logits,
)
def entropy(question: Question) -> Selection:
    value = scores.entropy(question.logits().softmax(dim=-1))
    return selection(question, scores.best(value, question.batch_size), value)


@strategy(
    "margin",
    "smallest gap between the two likeliest classes (no posterior)",
    unit="probability",
    cost=of_logits,
)
def margin(question: Question) -> Selection:
    value = scores.margin(question.logits().softmax(dim=-1))
    return selection(question, scores.best(-value, question.batch_size), value)


@strategy(
    "predictive-entropy",
    "highest entropy of the prediction averaged over the posterior",
    unit="nats",
    cost=of_draws,
)
def predictive_entropy(question: Question) -> Selection:
    value = torch.cat([scores.predictive_entropy(p) for p in question.drawn_probabilities()])
    return selection(question, scores.best(value, question.batch_size), value)


@strategy(
    "bald",
    "most information of the label about the model, by joint draws",
    unit="nats",
    cost=of_draws,
)
def bald(question: Question) -> Selection:
    value = torch.cat([scores.bald(p) for p in question.drawn_probabilities()])
    return selection(question, scores.best(value, question.batch_size), value)
