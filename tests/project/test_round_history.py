"""What a round bought: only measurements of the same audit images and classes are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alworkbench.core.domain import Answer, AnswerKind, MetricRecord, Round, RoundState
from alworkbench.project.round_history import bought, round_history
from alworkbench.project.workbench import Workbench
from store.repositories.rounds import RoundRepository

START = datetime(2026, 1, 1, tzinfo=UTC)
CLOSED = Round(
    id=1,
    number=1,
    strategy="margin",
    seed=0,
    class_list_id=1,
    posterior_id=None,
    learner_id=None,
    opened_at=START,
    closed_at=START + timedelta(hours=9),
    seconds=0.1,
    settings={},
    batch_size=10,
    state=RoundState.CLOSED,
)


def measured(
    number: int, hour: int, accuracy: float, audit: str = "a", classes: str = "xy"
) -> MetricRecord:
    values = {"accuracy": accuracy, "audit": audit, "per_class": dict.fromkeys(classes, accuracy)}
    return MetricRecord(
        number, number or None, 10 * number, 100, values, START + timedelta(hours=hour)
    )


@pytest.mark.parametrize(
    ("number", "metrics", "expected"),
    [
        # The class list changed after round 2: only its two newest states were measured again.
        (
            2,
            [(0, 5, 0.5, "a", "xyz"), (1, 1, 0.7), (2, 2, 0.75), (2, 6, 0.66, "a", "xyz")],
            (0.7, 0.75),
        ),
        (1, [(0, 5, 0.5, "a", "xyz"), (1, 1, 0.7), (2, 2, 0.75)], (None, 0.7)),
        # The audit set grew: all were measured again, the older records count no more.
        (1, [(0, 5, 0.6, "b"), (1, 1, 0.9), (1, 6, 0.7, "b")], (0.6, 0.7)),
        # It grew, and nothing was measured again.
        (2, [(0, 0, 0.5), (1, 1, 0.9), (2, 6, 0.7, "b")], (None, 0.7)),
        # Round 1 was not measured: the nearest earlier measured round is the model without labels.
        (2, [(0, 0, 0.5), (2, 2, 0.75)], (0.5, 0.75)),
        (3, [(0, 0, 0.5), (1, 1, 0.7)], None),
    ],
)
def test_a_change_is_told_between_alike_measurements_alone(
    number: int, metrics: list[tuple], expected: tuple[float | None, float] | None
) -> None:
    records = [measured(*each) for each in metrics]
    for given in (records, records[::-1]):
        found = bought(replace(CLOSED, number=number), given)
        if expected is None:
            assert found is None
            continue
        assert found is not None
        assert (found.before and found.before.value, found.after.value) == expected


def test_a_look_at_the_rounds_reads_only_those_whose_answers_changed(
    workbench: Workbench, answers: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    items = RoundRepository.items

    def reading(repository: RoundRepository, round_id: int) -> list:
        read.append(round_id)
        return items(repository, round_id)

    def looked() -> list[int]:
        """The rounds that were read; what was found is what a first look finds."""
        read.clear()
        found = workbench.rounds.history()
        rounds = list(read)
        with workbench.session.store.read() as reader:
            assert round_history(reader) == found
            assert workbench.audit.report().drawn == tuple(
                each.estimate for each in found if each.estimate is not None
            )
        return rounds

    for _ in range(2):
        workbench.rounds.propose("power-margin", 3)
        answers(workbench, 3)
        workbench.rounds.close()
    workbench.rounds.propose("random", 3)
    monkeypatch.setattr(RoundRepository, "items", reading)
    assert looked() == [1, 2, 3]
    assert looked() == [3]
    answers(workbench, 1)
    assert looked() == [3]
    late = workbench.rounds.items(2)[0]
    classes = workbench.classes.current().classes
    workbench.labels.record(
        Answer(
            "late",
            late.image_id,
            AnswerKind.CLASS,
            "bo",
            class_id=classes[-1].id,
            item_id=late.id,
        )
    )
    assert looked() == [2, 3]
    assert looked() == [3]
