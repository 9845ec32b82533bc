"""What every round was and what it bought: its answers, its learner, accuracy before and after.

Everything is read from records; nothing is computed over the pool.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    LabelMoment,
    MetricRecord,
    Round,
    RoundCount,
    RoundState,
)
from alworkbench.core.ports import Reader
from alworkbench.core.words import percent
from alworkbench.evaluation import lure
from alworkbench.evaluation.lure import RoundEstimate
from alworkbench.project.measured_accuracy import Accuracy, accuracy_of, intervals_overlap


@dataclass(frozen=True, slots=True)
class Bought:
    """Accuracy on the audit set after a round, beside the measurement before it."""

    before: Accuracy | None
    """None where nothing was measured before, and for a round of the audit set, which teaches nothing."""
    after: Accuracy
    records: tuple[MetricRecord, ...]
    """The measurements that these are from: of before, if there is one, and of after."""

    @property
    def change(self) -> float | None:
        """Difference as a share, positive for a better model; None without a measurement before."""
        return None if self.before is None else self.after.value - self.before.value

    @property
    def overlap(self) -> bool | None:
        """Whether the intervals overlap, so that the change may be chance; None where nobody can say."""
        return None if self.before is None else intervals_overlap(self.before, self.after)

    @property
    def verdict(self) -> str:
        """Whether the change may be chance, in words; empty where nobody can say."""
        if self.overlap is None:
            return ""
        return (
            "the intervals overlap: this may be chance"
            if self.overlap
            else "the intervals do not overlap"
        )

    @property
    def words(self) -> str:
        """Such as `Accuracy 71.0 % (95 % interval 61.5 to 79.0), before 68.0 %: +3.0 points`."""
        after, before, change = self.after, self.before, self.change
        around = interval_words(after)
        said = f"Accuracy {percent(after.value)}" + (f" ({around})" if around else "")
        if before is None or change is None:
            return said
        said += f", before {percent(before.value)}: {signed_points(change)} points"
        return f"{said}; {self.verdict}" if self.verdict else said


def signed_points(change: float, digits: int = 1) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * change:+.{digits}f}".replace("-", "−")


def interval_words(accuracy: Accuracy) -> str:
    """Such as `95 % interval 61.5 to 79.0`; empty where none was recorded."""
    if accuracy.low is None or accuracy.high is None:
        return ""
    return f"95 % interval {100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}"


@dataclass(frozen=True, slots=True)
class RoundReport:
    """A round with its answers and its result."""

    round: Round
    count: RoundCount
    answered: int
    """Images with an answer of a person, whether or not more are wanted."""
    by_person: Mapping[str, int]
    """Who gave how many of the answers that were asked for, most first."""
    bought: Bought | None
    """None where no learner of this round was measured."""
    estimate: RoundEstimate | None
    """Accuracy from its own labels (LURE), where its images were drawn with known probabilities."""

    @property
    def audit(self) -> bool:
        """Whether its images measure the model and teach it nothing."""
        return self.round.strategy == AUDIT_STRATEGY


def round_history(reader: Reader) -> list[RoundReport]:
    """Every round, oldest first."""
    return RoundReports().read(reader)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the answers to a round say."""

    images: frozenset[int]
    count: RoundCount
    answered: int
    by_person: Mapping[str, int]
    estimate: RoundEstimate | None


class RoundReports:
    """The reports of one project. Threads share it.

    What a closed round got is kept, and read again where one of its images got an answer or lost one, or the
    class list changed. So a look at the rounds costs the same after 10 rounds and after 1,000.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, _Answers] = {}
        self._since = LabelMoment(0, 0)
        self._classes: int | None = None

    def read(self, reader: Reader) -> list[RoundReport]:
        """Every round, oldest first."""
        metrics = reader.computed.metrics()
        found = []
        for round_, got in self._answers(reader):
            result = bought(round_, metrics)
            found.append(
                RoundReport(round_, got.count, got.answered, got.by_person, result, got.estimate)
            )
        return found

    def estimates(self, reader: Reader) -> list[RoundEstimate]:
        """The estimate of each round that allows one, oldest first."""
        return [got.estimate for _, got in self._answers(reader) if got.estimate is not None]

    def _answers(self, reader: Reader) -> list[tuple[Round, _Answers]]:
        now, classes = reader.labels.moment(), reader.classes.current().id
        with self._lock:
            kept, since, known = self._kept, self._since, self._classes
        later = now.label >= since.label and now.take_back >= since.take_back
        if classes != known or not later:  # another thread may have looked at newer records
            kept = {}
        touched = reader.labels.touched(since) if kept and now != since else set()
        found = []
        for round_ in reader.rounds.all():
            got = kept.get(round_.id)
            if got is None or not got.images.isdisjoint(touched):
                got = _answers_of(reader, round_)
            found.append((round_, got))
        if later:
            with self._lock:
                closed = {each.id: got for each, got in found if each.state is RoundState.CLOSED}
                self._kept, self._since, self._classes = closed, now, classes
        return found


def bought(round_: Round, metrics: Sequence[MetricRecord]) -> Bought | None:
    """What a round bought, from all measurements; None where its learner is not measured.

    Two measurements are compared if they are of the same audit images and classes, and the earlier one is of
    the nearest earlier round that was measured. Learners are measured again when the audit set grows or the
    class list changes, so the newest measurement may have nothing to be compared with. Then the newest that
    has one counts. Without any there is no change to tell.
    """
    measured = sorted(
        ((m, a) for m in metrics if (a := accuracy_of(m)) is not None),
        key=lambda each: each[0].measured_at,
    )
    if round_.strategy == AUDIT_STRATEGY:
        then = [(m, a) for m, a in measured if _while_open(round_, m)]
        return Bought(None, then[-1][1], (then[-1][0],)) if then else None
    own = [(m, a) for m, a in measured if m.round_number == round_.number]
    if not own:
        return None
    earlier = [m.round_number for m, _ in measured if m.round_number < round_.number]
    nearest = [(m, a) for m, a in measured if m.round_number == max(earlier, default=-1)]
    for record, after in reversed(own):
        alike = [(m, a) for m, a in nearest if _alike(m, record)]
        if alike:
            return Bought(alike[-1][1], after, (alike[-1][0], record))
    record, after = own[-1]
    return Bought(None, after, (record,))


def _alike(one: MetricRecord, other: MetricRecord) -> bool:
    """Whether both are of the same audit images and classes."""
    classes = [(each.values.get("per_class") or {}).keys() for each in (one, other)]
    return one.values.get("audit") == other.values.get("audit") and classes[0] == classes[1]


def _while_open(round_: Round, record: MetricRecord) -> bool:
    closed = round_.closed_at
    return closed is not None and round_.opened_at <= record.measured_at <= closed


def _answers_of(reader: Reader, round_: Round) -> _Answers:
    items = reader.rounds.items(round_.id)
    people = Counter(name for item in items for name in item.answered_by)
    return _Answers(
        images=frozenset(item.image_id for item in items),
        count=reader.rounds.progress(round_.id),
        answered=sum(item.label is not None for item in items),
        by_person=dict(people.most_common()),
        estimate=lure.of_round(round_, items),
    )
