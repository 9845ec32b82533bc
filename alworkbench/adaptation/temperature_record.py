"""A fitted temperature with what it was fitted to, so that it is not applied where it does not hold.

A temperature belongs to one model: an encoder, a learner on it, and the way from logits to probabilities.
On another model it is refused. On another list of classes it is applied with a warning: a temperature of
a vision-language model changes little from one label set to another (Tu et al., 2024, arXiv:2402.07417),
but nobody has checked that for these classes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.temperature import TemperatureFit
from alworkbench.core.domain import ClassList
from alworkbench.core.errors import TemperatureMismatch


class ProbabilityPath(StrEnum):
    """From logits to probabilities."""

    PLAIN = "plain"
    """Softmax of the logits."""
    PROBIT = "probit"
    """Softmax of the logits divided by sqrt(1 + pi/8 variance), the variance under the posterior."""


class HowDrawn(StrEnum):
    """How the labelled images were drawn from those that the temperature is meant for."""

    RANDOM = "random"
    LOGGED = "logged"
    """By a strategy with recorded probabilities; the fit has weights that correct for it."""
    CHOSEN = "chosen"
    """By a strategy without recorded probabilities."""


ZERO_SHOT_LEARNER = "zero-shot"


@dataclass(frozen=True, slots=True)
class LogitSource:
    """What computed the logits that a temperature is fitted or applied to."""

    encoder_id: str
    class_list: str
    """`class_list_digest` of the classes."""
    path: ProbabilityPath = ProbabilityPath.PLAIN
    learner: str = ZERO_SHOT_LEARNER
    """Any name that stands for one state of the model after labels."""

    def differences_from(self, other: LogitSource) -> tuple[str, ...]:
        """Where the model differs, in words; the classes are not part of the model."""
        pairs = (
            ("encoder", self.encoder_id, other.encoder_id),
            ("learner", self.learner, other.learner),
            ("probability path", self.path, other.path),
        )
        return tuple(
            f"its {what} is {mine}, that of these logits is {theirs}"
            for what, mine, theirs in pairs
            if mine != theirs
        )


@dataclass(frozen=True, slots=True)
class ScaledLogits:
    """Logits divided by a temperature, and what the reader of their probabilities must know."""

    logits: Float[Tensor, "*M C"]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TemperatureRecord:
    """A temperature, the logits and the labelled images that it comes from, and when it was fitted."""

    fit: TemperatureFit
    source: LogitSource
    drawn: HowDrawn
    created_at: datetime
    learned_from: bool = False
    """Whether the learner learned from the labels that the temperature was fitted to."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to distrust the temperature: those of the fit, and those of its labels."""
        found = list(self.fit.warnings)
        if self.drawn is HowDrawn.CHOSEN:
            found.append(
                "A strategy chose the labelled images without recorded probabilities: the temperature "
                "holds for the chosen images, and may be far from that of the pool."
            )
        if self.learned_from:
            found.append(
                "The learner learned from the labels that the temperature was fitted to: its "
                "probabilities look better on them than on other images."
            )
        return tuple(found)

    def apply(
        self, logits: Float[Tensor, "*M C"], source: LogitSource, force: bool = False
    ) -> ScaledLogits:
        """The logits divided by the temperature, with every warning.

        Raises TemperatureMismatch for the logits of another encoder, learner or probability path; `force`
        applies the temperature all the same and turns the error into a warning.
        """
        found = list(self.warnings)
        if differences := self.source.differences_from(source):
            mismatch = TemperatureMismatch(differences)
            if not force:
                raise mismatch
            found.append(str(mismatch))
        if self.source.class_list != source.class_list:
            found.append(
                "The temperature was fitted with other classes or prompts. It often holds for these "
                "as well; labels of these classes would show it."
            )
        return ScaledLogits(self.fit.apply(logits), tuple(found))

    def record(self) -> dict[str, Any]:
        """As plain JSON values; an infinite standard error is None."""
        fit = {name: _finite(value) for name, value in asdict(self.fit).items()}
        return {
            "fit": fit,
            "source": asdict(self.source),
            "drawn": self.drawn,
            "created_at": self.created_at.isoformat(),
            "learned_from": self.learned_from,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TemperatureRecord:
        """The inverse of `record`. Raises ValueError for a record that is not whole or names unknown ways."""
        try:
            fit = {name: record["fit"][name] for name in _names(TemperatureFit)}
            source = {name: record["source"][name] for name in _names(LogitSource)}
            source["path"] = ProbabilityPath(source["path"])
            if fit["standard_error_log"] is None:
                fit["standard_error_log"] = math.inf
            return cls(
                TemperatureFit(**fit),
                LogitSource(**source),
                HowDrawn(record["drawn"]),
                datetime.fromisoformat(record["created_at"]),
                record["learned_from"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the record of a temperature is not whole: {error}") from error


def class_list_digest(classes: ClassList) -> str:
    """Hash of the names and the prompt templates, in order: equal lists have equal digests."""
    content = [[each.name, list(each.templates)] for each in classes.classes]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _finite(value: Any) -> Any:
    return None if value == math.inf else value
