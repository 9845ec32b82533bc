"""Likely classes of a round: sets by the direct rule, the words that they deserve, and their check."""

import json
import math
from dataclasses import replace

import pytest
import torch

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    ClassSets,
    LabelClass,
    ProjectSettings,
    Role,
    Selection,
)
from alworkbench.project.calibration import fitted_temperature, logit_source
from alworkbench.project.class_sets import (
    SetCheck,
    SetSettings,
    check_sets,
    drawn_uniformly,
)
from alworkbench.project.measurements import audit_truth
from store import create_store
from tests.factories import normal
from tests.making_project import AUDIT, NAMES, Project, answering, closing

LOOSE = (SetSettings(), SetSettings(0.3), SetSettings(0.3, by_class=True))
"""By class, 24 audit images of 4 classes are enough for alpha = 0.3 only."""


def one_round(workbench, answers, strategy=None):
    workbench.rounds.propose(strategy)
    answers(workbench, 5)
    workbench.rounds.close()


def predicted(workbench, hashes):
    """The learner's own probabilities, in double precision."""
    table = workbench.session.engine().table()
    logits = workbench.learners.newest().logits(table.gather(table.rows_of(hashes)))
    return logits.double().softmax(dim=-1)


def items_and_hashes(workbench, round_):
    items = workbench.rounds.items(round_.id)
    return items, [workbench.images.get(item.image_id).hash for item in items]


def audit(workbench):
    with workbench.session.store.read() as reader:
        return audit_truth(reader, workbench.classes.current())


def slow_sets(workbench, round_, settings):
    """Class ids by the rule as it is written: one image, one class at a time."""
    truth, ids = audit(workbench), [c.id for c in workbench.classes.current().classes]
    scores = [
        (1 - float(p[label]), label)
        for p, label in zip(predicted(workbench, list(truth)), truth.values(), strict=True)
    ]

    def limit(k):
        own = sorted(s for s, label in scores if label == k or not settings.by_class)
        rank = math.ceil((len(own) + 1) * (1 - settings.alpha) - 1e-9)
        return own[rank - 1] if rank <= len(own) else math.inf

    found = []
    for p in predicted(workbench, items_and_hashes(workbench, round_)[1]).tolist():
        best = max(range(len(p)), key=lambda k: p[k])
        held = [k for k in range(len(p)) if 1 - p[k] <= limit(k) or k == best]
        found.append(tuple(ids[k] for k in sorted(held, key=lambda k: -p[k])))
    return tuple(found)


@pytest.mark.parametrize("settings", LOOSE)
def test_recorded_sets_are_those_of_the_direct_rule(workbench, answers, settings):
    one_round(workbench, answers)
    opened = workbench.rounds.propose(sets=settings)
    sets = opened.class_sets
    assert sets.sets == slow_sets(workbench, opened, settings)
    assert (sets.alpha, sets.by_class, sets.images) == (settings.alpha, settings.by_class, AUDIT)
    assert len(sets.thresholds) == (4 if settings.by_class else 1)


@pytest.mark.parametrize("settings", LOOSE)
def test_a_set_begins_with_the_suggestion(workbench, answers, settings):
    one_round(workbench, answers)
    opened = workbench.rounds.propose(sets=settings)
    items = workbench.rounds.items(opened.id)
    assert [i.suggestion.class_id for i in items] == [s[0] for s in opened.class_sets.sets]


def test_a_temperature_of_the_audit_set_does_not_change_the_sets(workbench, answers):
    one_round(workbench, answers)
    newest, classes = workbench.measurements.all()[-1], workbench.classes.current()
    encoder = workbench.session.engine().encoder_id
    source = logit_source(workbench.learners.newest(), newest.learner_id, classes, encoder)
    logits, labels = 4 * normal(1, 200, 4), torch.arange(200) % 4
    answered = torch.eye(4, dtype=torch.float64)[labels]
    fit = fitted_temperature(logits, labels, answered, source, newest.measured_at)
    values = {**newest.values, **fit}
    with workbench.session.store.write() as writer:
        writer.computed.add_metrics(replace(newest, values=values))
    opened = workbench.rounds.propose(sets=SetSettings(0.3))
    assert opened.calibration.temperature > 2
    assert opened.class_sets.sets == slow_sets(workbench, opened, SetSettings(0.3))


@pytest.mark.parametrize("settings", [None, SetSettings(0.01), SetSettings(0.03, by_class=True)])
def test_nothing_is_recorded_where_every_class_would_be_likely(workbench, settings):
    opened = workbench.rounds.propose(sets=settings)
    assert opened.class_sets is None
    assert "class_sets" not in opened.settings


def test_without_audit_labels_and_in_audit_rounds_there_are_no_sets(bare, answers):
    assert bare.rounds.propose().class_sets is None
    answers(bare, 5)
    bare.rounds.close()
    assert bare.audit.draw(10).class_sets is None


@pytest.fixture
def bare(project):
    """The project without labels in its audit set."""
    with closing(project.open()) as workbench:
        with workbench.session.store.read() as reader:
            labels = reader.labels.current(Role.AUDIT)
        with workbench.session.store.write() as writer:
            for image, label in labels.items():
                writer.labels.add(
                    Answer(f"none-{image}", image, AnswerKind.SKIP, label.annotator),
                    label.recorded_at,
                )
        yield workbench


class TestSelection:
    def test_a_strategy_that_does_not_draw_uniformly_chooses(self, workbench):
        assert workbench.rounds.propose("entropy").class_sets.selection is Selection.CHOSEN

    def test_an_imported_audit_set_may_differ_from_the_pool(self, workbench):
        assert workbench.rounds.propose("random").class_sets.selection is Selection.AT_RANDOM

    def test_random_rounds_are_like_a_drawn_audit_set_until_a_strategy_chooses(
        self, tmp_path, made
    ):
        project, found = Project(tmp_path / "own", made[1], made[2]), []
        answers = answering(project)
        classes = ClassList(tuple(LabelClass(name) for name in NAMES))
        settings = ProjectSettings("toy", encoder="features:toy")
        create_store(project.folder, settings, classes, project.clock()).close()
        with closing(project.open()) as workbench:
            workbench.images.add(made[0] / "pool")
            workbench.features.take(project.features)
            workbench.audit.draw(12)
            answers(workbench, 12)
            workbench.rounds.close()
            for strategy in ("random", "random", "margin", "random"):
                opened = workbench.rounds.propose(strategy, 5, sets=SetSettings(0.3))
                found.append(opened.class_sets)
                answers(workbench, 5)
                workbench.rounds.close()
        like, chosen, random = Selection.LIKE_AUDIT, Selection.CHOSEN, Selection.AT_RANDOM
        assert [each.selection for each in found] == [like, like, chosen, random]

    @pytest.mark.parametrize("name", ["random", "entropy", "power-margin", "balanced-random"])
    def test_random_alone_draws_uniformly(self, workbench, name):
        opened = workbench.rounds.propose(name)
        asked = workbench.rounds.items(opened.id)
        uniform = drawn_uniformly([i.probability for i in asked], opened.settings["candidates"])
        assert uniform == (name == "random")

    def test_picks_without_a_probability_are_not_uniform(self):
        assert drawn_uniformly([1 / 5, 1 / 4], 5)
        assert not drawn_uniformly([1 / 5, 1 / 5], 5)
        assert not drawn_uniformly([1 / 5, None], 5)
        assert not drawn_uniformly([], 5)


def made_sets(selection=Selection.CHOSEN, by_class=False):
    return ClassSets(0.1, by_class, 1200, 3, selection, (0.5,), ((1,), (2, 3), (3, 2, 1)))


def test_a_set_of_all_classes_is_not_shown():
    assert [made_sets().shown(k) for k in range(3)] == [(1,), (2, 3), ()]


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("selection", list(Selection))
def test_sets_survive_their_record(selection, by_class):
    sets = made_sets(selection, by_class)
    record = json.loads(json.dumps(sets.as_record(), allow_nan=False))
    assert ClassSets.from_record(record) == sets
    assert ClassSets.from_record(None) is None


def test_words_give_the_promise_to_images_like_the_audit_set_alone():
    like, random, chosen = (made_sets(each) for each in Selection)
    assert like.level == "true for about 90 % of images"
    assert random.level == "true for about 90 % of random images"
    for each in (like, random, chosen):
        assert "about 90 % of images that are drawn like the 1,200 audit images" in each.words
    assert like.words.endswith("The images of this round are drawn like them.")
    assert "perhaps from other images" in random.words
    assert "A strategy chose the images of this round" in chosen.words
    assert "the images of every class" in made_sets(by_class=True).words


class TestCheck:
    @pytest.mark.parametrize("settings", LOOSE)
    def test_it_counts_answers_that_are_in_their_set(self, workbench, answers, settings):
        one_round(workbench, answers)
        opened = workbench.rounds.propose(batch_size=12, sets=settings)
        answers(workbench, 8)
        item = workbench.labels.claim("ada", 1)[0]
        token = item.lease.token
        workbench.labels.record(
            Answer("skip", item.image_id, AnswerKind.SKIP, "ada", None, item.id, token)
        )
        items = workbench.rounds.items(opened.id)
        named = [i for i in items if i.label and i.label.class_id]
        held = sum(i.label.class_id in opened.class_sets.sets[i.position] for i in named)
        found = check_sets(opened, items)
        assert (found.labelled, found.held, found.round) == (8, held, opened.number)

    def test_without_answers_or_sets_there_is_nothing_to_check(self, workbench, answers):
        opened = workbench.rounds.propose(sets=SetSettings(0.3))
        assert check_sets(opened, workbench.rounds.items(opened.id)) is None
        answers(workbench, 5)
        assert check_sets(opened, workbench.rounds.items(opened.id)) is not None
        workbench.rounds.close()
        opened = workbench.rounds.propose(sets=None)
        answers(workbench, 5)
        assert check_sets(opened, workbench.rounds.items(opened.id)) is None

    def test_words_say_how_many_and_that_a_strategy_chose(self):
        chosen = SetCheck(3, 50, 43, 0.9, Selection.CHOSEN)
        assert chosen.words == (
            "Of the 50 labelled images of round 3, 43 had their class among the likely classes (86 %, 95 % "
            "interval 74 to 93). The sets promise 90 % of random images; a strategy chose these."
        )
        assert "strategy" not in SetCheck(3, 50, 43, 0.9, Selection.LIKE_AUDIT).words


def test_a_reopened_project_has_the_same_sets(project, workbench, answers):
    one_round(workbench, answers)
    sets = workbench.rounds.propose().class_sets
    with closing(project.open()) as again:
        assert again.rounds.current().class_sets == sets
    assert torch.isfinite(torch.tensor(sets.thresholds)).all()
