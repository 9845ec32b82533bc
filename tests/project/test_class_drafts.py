"""Drafts of a class list: many changes are one version, the same as one after the other; faults are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassDraft, ClassList, LabelClass
from alworkbench.core.domain.class_changes import added, prompted, renamed, reordered, shown_as
from alworkbench.core.domain.class_draft import drafted, faults_of, read_draft
from alworkbench.core.domain.class_words import changes_between, returned
from alworkbench.core.domain.classes_in_use import merged, restored, retired
from alworkbench.core.errors import ChangedMeanwhile, InvalidClassList, RoundStillOpen
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing, one_round
from tests.project.test_classes import Names

PRESENT = ClassList(
    (
        LabelClass("ant", id=1),
        LabelClass("bee", id=2, key="b"),
        LabelClass("cat", id=3),
        LabelClass("dog", id=4),
    ),
    7,
    (LabelClass("elk", id=5, key="b"), LabelClass("fox", id=6, into=3)),
)
CHANGES: tuple[Callable[[ClassList], ClassList], ...] = (
    lambda c: renamed(c, "cat", "kitten"),
    lambda c: reordered(c, ["dog", "ant"]),
    lambda c: shown_as(c, "ant", key="q", colour="#c03020", description="small"),
    lambda c: prompted(c, None, ("a {}.", "one {}.")),
    lambda c: merged(c, ["bee"], "ant"),
    lambda c: retired(c, "dog"),
    lambda c: restored(c, "elk"),
    lambda c: restored(c, "fox"),
    lambda c: added(c, LabelClass("owl", ("an {}.",))),
)


def as_json(classes: ClassList) -> dict:
    return json.loads(json.dumps(asdict(classes)))


def with_classes(*classes: LabelClass) -> ClassDraft:
    return replace(ClassDraft.of(PRESENT), classes=classes)


@pytest.mark.parametrize("count", range(len(CHANGES) + 1))
def test_a_draft_is_the_same_as_its_changes_one_after_the_other(count: int) -> None:
    wanted = PRESENT
    for change in CHANGES[:count]:
        wanted = change(wanted)
    draft = read_draft(as_json(wanted))
    assert list(faults_of(PRESENT, draft)) == []
    assert drafted(PRESENT, draft) == wanted
    shuffled = replace(draft, classes=draft.classes[::-1], former=draft.former[::-1])
    assert drafted(PRESENT, shuffled).same_for_model(wanted)
    assert bool(changes_between(PRESENT, wanted)) == (count > 0)


def test_going_back_gives_the_earlier_list_and_loses_no_class() -> None:
    wanted = PRESENT
    for change in CHANGES:
        wanted = change(wanted)
    wanted = replace(wanted, classes=tuple(replace(c, id=c.id or 8) for c in wanted.classes))
    back = returned(wanted, PRESENT)
    assert back.classes == PRESENT.classes
    assert back.given_names == PRESENT.given_names | {8: "owl"}
    assert {c.id: c.into for c in back.former} == {5: None, 6: 3, 8: None}
    assert returned(PRESENT, PRESENT) is PRESENT


ANT, BEE, CAT, DOG = PRESENT.classes
LONG = "ل" * 201


@pytest.mark.parametrize(
    ("draft", "place", "field"),
    [
        (with_classes(ANT, BEE, CAT), None, ""),
        (with_classes(ANT, BEE, CAT, DOG, replace(ANT, name="gnu")), None, ""),
        (with_classes(ANT, BEE, CAT, DOG, LabelClass("gnu", id=99)), None, ""),
        (with_classes(ANT, BEE, CAT, DOG, LabelClass(" ")), 4, "name"),
        (with_classes(ANT, BEE, CAT, DOG, LabelClass(LONG)), 4, "name"),
        (with_classes(ANT, BEE, CAT, DOG, LabelClass("gnu\x00")), 4, "name"),
        (with_classes(ANT, BEE, CAT, DOG, LabelClass("Cat ")), 4, "name"),
        (with_classes(ANT, BEE, CAT, DOG, LabelClass("cat")), 4, "name"),
        (with_classes(ANT, BEE, CAT, DOG, LabelClass("Elk")), 4, "name"),
        (with_classes(ANT, replace(BEE, name="dog"), CAT, DOG), 1, "name"),
        (with_classes(ANT, BEE, CAT, replace(DOG, templates=("a photo",))), 3, "templates"),
        (with_classes(ANT, BEE, CAT, replace(DOG, templates=())), 3, "templates"),
        (with_classes(ANT, BEE, replace(CAT, key="b"), DOG), 2, "key"),
        (with_classes(ANT, BEE, replace(CAT, key="z"), DOG), 2, "key"),
        (with_classes(ANT, BEE, replace(CAT, colour="red"), DOG), 2, "colour"),
        (with_classes(ANT, BEE, replace(CAT, description="x" * 501), DOG), 2, "description"),
    ],
)
def test_a_fault_names_the_class_and_the_field_and_nothing_is_drafted(
    draft: ClassDraft, place: int | None, field: str
) -> None:
    found = list(faults_of(PRESENT, draft))
    assert [(each.place, each.field) for each in found] == [(place, field)]
    with pytest.raises(InvalidClassList):
        drafted(PRESENT, draft)


def test_merges_in_a_circle_and_too_few_classes_are_faults() -> None:
    ends = (replace(BEE, into=3), replace(CAT, into=2))
    circle = ClassDraft(7, (ANT, DOG), (*PRESENT.former, *ends))
    assert {each.field for each in faults_of(PRESENT, circle)} == {""}
    one = ClassDraft(7, (ANT,), (BEE, CAT, DOG, *PRESENT.former))
    assert "at least 2" in next(iter(faults_of(PRESENT, one))).words
    with pytest.raises(ChangedMeanwhile):  # a dry run refuses it as storing it does
        drafted(PRESENT, replace(ClassDraft.of(PRESENT), base=6))


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {"classes": "ant"},
        {"classes": [1]},
        {"classes": [{"name": 3}]},
        {"classes": [{"name": "ant", "id": True}]},
        {"classes": [{"name": "ant", "templates": "a {}"}]},
        {"classes": [{"name": "ant", "colours": 1}]},
        {"classes": [{"name": "ant", "id": 1}]},
        {"classes": [], "former": {}},
        {"classes": [], "id": "1"},
    ],
)
def test_other_forms_are_refused(record: object) -> None:
    with pytest.raises(InvalidClassList):
        read_draft(record)


@pytest.fixture
def begun(lived: Callable) -> Workbench:
    """A project with one round that was learned from."""
    return lived(one_round)


def test_a_draft_is_stored_as_one_version_with_one_learner(begun: Workbench) -> None:
    engine = begun.session.engine()
    names = Names(engine.encoder_id, engine.head)
    present = begun.classes.current()
    with begun.session.store.read() as reader:
        labels, learners = reader.labels.all(), len(reader.computed.learners())
    wanted = retired(added(renamed(present, "cat", "kitten"), LabelClass("owl")), "dog")
    draft = ClassDraft(present.id, wanted.classes, wanted.former)
    effect = begun.classes.effect(wanted)
    assert effect.learns_again
    assert {each.name: each.counts_for for each in effect.by_class}.items() <= {
        "cat": "kitten",
        "dog": None,
    }.items()
    assert sum(each.labels for each in effect.by_class) == effect.labels
    assert begun.classes.faults(draft) == []
    found = begun.classes.apply(draft, names)
    assert (found.id, found.names) == (2, ("ant", "bee", "kitten", "owl"))
    with begun.session.store.read() as reader:
        assert reader.labels.all() == labels
        assert len(reader.computed.learners()) == learners + 1
    with pytest.raises(ChangedMeanwhile):
        begun.classes.apply(draft, names)
    again = replace(found.classes[0], name="cat")
    taken = ClassDraft(found.id, (again, *found.classes[1:]), found.former)
    assert [(each.place, each.field) for each in begun.classes.faults(taken)] == [(0, "name")]
    back = begun.classes.go_back(1)
    assert back.names == present.names
    assert [c.name for c in back.former] == ["owl"]
    history = begun.classes.history()
    assert [each.number for each in history] == [1, 2, 3]
    assert "'cat' is now called 'kitten'." in history[1].changes
    assert "'owl' is retired: its labels teach nothing." in history[2].changes


def test_commands_apply_and_go_back_as_the_service_does(begun: Workbench, project: Project) -> None:
    def typed(*words: str, text: str = "") -> str:
        line = ["classes", *words, "--project", str(project.folder)]
        done = CliRunner().invoke(app, line, input=text)
        assert done.exit_code == 0, done.output
        return done.output

    record = as_json(shown_as(begun.classes.current(), "ant", description="small"))
    record["classes"] = [c for c in record["classes"] if c["name"] != "dog"]
    record["former"] = [as_json(begun.classes.current())["classes"][3]]
    told = typed("apply", "-", "--dry-run", text=json.dumps(record))
    assert "Nothing was written" in told
    assert "teach nothing" in told
    assert begun.classes.current().id == 1
    typed("apply", "-", text=json.dumps(record))
    stored = as_json(begun.classes.current())
    assert stored == record | {"id": 2}
    assert "retired" in typed("history")
    typed("back", "1")
    assert begun.classes.current().classes == begun.classes.version(1).classes


def test_a_draft_waits_for_the_end_of_a_round_only_if_the_model_reads_it(
    project: Project,
) -> None:
    with closing(project.open()) as workbench:
        workbench.rounds.propose("random")
        present = workbench.classes.current()
        shown = shown_as(present, "ant", key="q")
        workbench.classes.apply(ClassDraft(present.id, shown.classes))
        assert workbench.classes.current().keys[0] == "q"
        gone = retired(workbench.classes.current(), "ant")
        with pytest.raises(RoundStillOpen):
            workbench.classes.apply(ClassDraft(gone.id, gone.classes, gone.former))
