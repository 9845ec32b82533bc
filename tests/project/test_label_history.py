"""A history goes from one project to another label for label, and only continues what is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import AnswerKind, RoleMismatch
from alworkbench.core.errors import (
    DifferentRoles,
    HistoriesDiffer,
    InvalidLabelFile,
    UnknownClass,
)
from alworkbench.inputs.label_formats.reading import read_history
from alworkbench.inputs.label_formats.registry import FORMATS
from alworkbench.project.workbench import Workbench
from tests.project.history_making import (
    CLASS_NAMES,
    EVENTS,
    PEOPLE,
    Event,
    dump,
    project,
    recorded,
    records,
)

TABLES = [each for each in FORMATS if not each.holds_images and each.suffixes]
SUFFIXES = [each.suffixes[0] for each in TABLES if each.suffixes[0] != ".json"]
laws = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@laws
@given(events=EVENTS)
def test_a_history_goes_from_project_to_project_label_for_label(
    tmp_path: Path, suffix: str, events: list[Event]
) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    with project(tmp_path, "own") as own, project(tmp_path, "other", CLASS_NAMES[::-1]) as other:
        recorded(own, events)
        assert own.labels.export(first, history=True).rows == len(events)
        assert [dict(each) for each in read_history(first)] == records(own)
        done = other.labels.import_history(first)
        assert (done.recorded, done.known) == (len(events), 0)
        assert records(other) == records(own)
        assert records(other, history=False) == records(own, history=False)
        other.labels.export(second, history=True)
        assert list(read_history(second)) == list(read_history(first))

        before = dump(other.session.store)
        again = other.labels.import_history(second)
        assert (again.recorded, again.known, again.taken_back) == (0, len(events), 0)
        assert own.labels.import_history(second).recorded == 0
        assert dump(other.session.store) == before


@laws
@given(events=EVENTS, cut=st.integers(0, 12))
def test_a_history_is_continued_from_any_of_its_states(
    tmp_path: Path, events: list[Event], cut: int
) -> None:
    with project(tmp_path, "own") as own, project(tmp_path, "other") as other:
        path = tmp_path / "labels.jsonl"
        recorded(own, events)
        rows = records(own)
        unanswered = {name: None for name in rows[0] if name.startswith("taken_back")}
        write(path, [{**row, **unanswered} for row in rows[:cut]])
        if rows[:cut]:
            other.labels.import_history(path)
        write(path, rows)
        other.labels.import_history(path)
        assert records(other) == rows


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------- what is refused

PLAIN = [
    Event(1, "ada", AnswerKind.CLASS, 1, 5, "browser", False),
    Event(1, "ada", AnswerKind.CLASS, 2, 5, "browser", True),
    Event(1, "=bob", AnswerKind.SKIP, 1, None, "csv", False),
    Event(2, "ada", AnswerKind.CLASS, 3, 5, "browser", False),
]
Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def edited(number: int, **values: Any) -> Change:
    """The rows with other values in one of them."""
    return lambda rows: [row | values if n == number else row for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited(0, label="-1"), "'-e0' has the label '-1'"),
        (edited(0, annotator="eve"), "'-e0' has the annotator 'eve'"),
        (edited(0, recorded_at="2020-01-01T00:00:00+00:00"), "'-e0' has the recorded_at"),
        (edited(0, duration_ms=6), "'-e0' has the duration_ms 6, and 5 here"),
        (edited(0, draw_probability=0.25), "'-e0' has the draw_probability 0.25"),
        (edited(0, strategy="random"), "'-e0' has the strategy 'random'"),
        (edited(3, suggestion="-1"), "'-e3' has the suggestion '-1'"),
        (edited(2, kind="cannot_tell"), "'-e2' has the kind 'cannot_tell'"),
        (edited(1, taken_back_by="eve"), "'-e1' has the taken_back_by 'eve'"),
        (edited(1, event_id="-e0"), "'-e0' occurs twice"),
        (
            edited(
                0,
                taken_back_at="2026-03-01T12:00:00+00:00",
                taken_back_by="a",
                taken_back_event="=back1",
            ),
            "'=back1' takes back two events",
        ),
    ],
)
def test_an_event_with_another_content_refuses_the_file(
    tmp_path: Path, change: Change, said: str
) -> None:
    with project(tmp_path, "own") as own:
        recorded(own, PLAIN)
        before = dump(own.session.store)
        path = write(tmp_path / "labels.jsonl", change(records(own)))
        with pytest.raises(HistoriesDiffer, match=said):
            own.labels.import_history(path)
        preview = own.labels.preview(path, "x", history=True)
        assert said in preview.problems[0].named[0]
        assert dump(own.session.store) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [{**rows[0], "event_id": "new"}, *rows],  # before what is there
        lambda rows: [rows[0], {**rows[0], "event_id": "new"}, *rows[1:]],  # in between
        lambda rows: [rows[1], rows[0], {**rows[0], "event_id": "new"}],  # another order
        lambda rows: [{**rows[0], "event_id": "new"}],  # without what is there
        lambda rows: [  # without a take-back that is there
            rows[0],
            {**rows[1], "taken_back_at": None, "taken_back_by": None, "taken_back_event": None},
            {**rows[0], "event_id": "new"},
        ],
    ],
)
def test_a_history_that_does_not_continue_the_own_one_is_refused(
    tmp_path: Path, change: Change
) -> None:
    with project(tmp_path, "own") as own:
        recorded(own, PLAIN)
        before = dump(own.session.store)
        path = write(tmp_path / "labels.jsonl", change(records(own)))
        with pytest.raises(HistoriesDiffer, match=r"photos/1.png of 'ada' has 2 recorded answers"):
            own.labels.import_history(path)
        assert dump(own.session.store) == before


def test_an_older_state_of_a_history_is_known(tmp_path: Path) -> None:
    with project(tmp_path, "own") as own:
        recorded(own, PLAIN)
        before = dump(own.session.store)
        done = own.labels.import_history(write(tmp_path / "old.jsonl", records(own)[:1]))
        assert (done.recorded, done.known) == (0, 1)
        assert dump(own.session.store) == before


def test_answers_of_another_person_do_not_stand_in_the_way(tmp_path: Path) -> None:
    with project(tmp_path, "own") as own, project(tmp_path, "other") as other:
        recorded(own, PLAIN)
        path = tmp_path / "labels.csv"
        path.write_text("image,label\nphotos/1.png,-1\n")
        other.labels.import_file(path, "eve")
        other.labels.import_history(write(tmp_path / "labels.jsonl", records(own)))
        assert records(other)[1:] == [
            {**row, "counts": new["counts"]}
            for row, new in zip(records(own), records(other)[1:], strict=True)
        ]


def test_unknown_images_and_classes_and_other_roles_refuse_a_history(tmp_path: Path) -> None:
    with project(tmp_path, "own") as own, project(tmp_path, "other") as other:
        recorded(own, PLAIN)
        rows = records(own)
        before = dump(other.session.store)
        for change, error, said in [
            (edited(0, hash="f" * 64), InvalidLabelFile, r"'photos/1.png' \(row 1\)"),
            (edited(0, label="owl"), UnknownClass, "row 1, names the class 'owl'"),
            (edited(3, role="audit"), DifferentRoles, r"row 4: audit, here pool"),
        ]:
            path = write(tmp_path / "labels.jsonl", change(rows))
            with pytest.raises(error, match=said):
                other.labels.import_history(path)
            assert dump(other.session.store) == before
        done = other.labels.import_history(path, RoleMismatch.LEAVE_OUT)
        assert (done.recorded, done.left_out) == (len(rows) - 1, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"event_id": None}, "it has no event_id"),
        ({"annotator": ""}, "it has no annotator"),
        ({"hash": "ab"}, "hash is 'ab'"),
        ({"recorded_at": "yesterday"}, "recorded_at is 'yesterday'"),
        ({"recorded_at": "2026-03-01T12:00:00"}, "recorded_at is '2026-03-01T12:00:00'"),
        ({"kind": "maybe"}, "'maybe' is no kind of answer"),
        ({"label": None}, "an answer has a label exactly if its kind is class"),
        ({"role": "test"}, "'test' is no role"),
        ({"duration_ms": -1}, "duration_ms is '-1'"),
        ({"round": 1.5}, "round is '1.5'"),
        ({"position": 2**63}, "position is"),
        ({"suggestion_probability": 1.5}, "suggestion_probability is '1.5'"),
        ({"score": "nan"}, "score is 'nan'"),
        ({"counts": "yes"}, "counts is 'yes'"),
        ({"taken_back_by": "ada"}, "it has taken_back_by, and not all of"),
        ({"annotator": "a\nb"}, "annotator holds a control character"),
        ({"source": ["browser"]}, "source is neither a text nor a number"),
        ({"strategy": "x" * 5000}, "strategy has 5,000 characters"),
    ],
)
def test_a_row_that_is_none_of_a_history_refuses_the_file(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with project(tmp_path, "own") as own, project(tmp_path, "other") as other:
        recorded(own, PLAIN)
        path = write(tmp_path / "labels.jsonl", edited(0, **change)(records(own)))
        with pytest.raises(InvalidLabelFile, match=f"line 1: .*{said}"):
            other.labels.import_history(path)
        assert records(other) == []


# ------------------------------------------------------------------------------- what else comes along


def test_a_take_back_alone_continues_a_history(tmp_path: Path) -> None:
    with project(tmp_path, "own") as own, project(tmp_path, "other") as other:
        recorded(own, PLAIN)
        rows = records(own)
        none = dict.fromkeys(("taken_back_at", "taken_back_by", "taken_back_event"))
        other.labels.import_history(
            write(tmp_path / "labels.jsonl", [{**row, **none} for row in rows])
        )
        done = other.labels.import_history(write(tmp_path / "labels.jsonl", rows))
        assert (done.recorded, done.known, done.taken_back) == (0, 3, 1)
        assert records(other) == rows


def test_without_history_the_same_file_gives_answers_of_the_reader(tmp_path: Path) -> None:
    with project(tmp_path, "own") as own, project(tmp_path, "other") as other:
        recorded(own, PLAIN)
        path = tmp_path / "labels.csv"
        own.labels.export(path)
        assert other.labels.import_file(path, "eve").recorded == 2
        assert {row["annotator"] for row in records(other)} == {"eve"}
        assert {row["project"] for row in records(other)} == {"other"}
        with pytest.raises(HistoriesDiffer):  # only what counts was written: e0, and not e1
            own.labels.import_history(
                write(tmp_path / "new.jsonl", [{**records(own)[0], "event_id": "new"}])
            )


def test_a_dry_run_says_what_would_happen_and_stores_nothing(tmp_path: Path) -> None:
    with project(tmp_path, "own") as own, project(tmp_path, "other") as other:
        recorded(own, PLAIN)
        path = tmp_path / "labels.parquet"
        own.labels.export(path, history=True)
        before = dump(other.session.store)
        for history in (True, False):
            preview = other.labels.preview(path, PEOPLE[1], history=history)
            assert preview.problems == ()
            assert dump(other.session.store) == before
            assert preview.would.recorded == (4 if history else 2)
        assert other.labels.import_history(path).recorded == 4


def test_a_renamed_class_keeps_its_events_known(tmp_path: Path) -> None:
    with project(tmp_path, "own") as own:
        recorded(own, PLAIN)
        path = tmp_path / "labels.csv"
        own.labels.export(path, history=True)
        rename(own, CLASS_NAMES[0], "owl")
        assert own.labels.import_history(path).known == len(PLAIN)


def rename(workbench: Workbench, old: str, new: str) -> None:
    from dataclasses import replace

    from tests.store.making import NOW

    with workbench.session.store.write() as writer:
        present = writer.classes.current()
        changed = tuple(replace(c, name=new) if c.name == old else c for c in present.classes)
        writer.classes.add(replace(present, classes=changed), NOW)
