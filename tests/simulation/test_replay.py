"""A finished campaign replays to the same batches; one changed label or seed is found and named."""

from dataclasses import replace

import pytest

from alworkbench.acquisition.acquisition_settings import AcquisitionSettings
from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.core.domain import ClassList, LabelClass, Role
from alworkbench.core.errors import NotReplayable
from alworkbench.simulation.campaign import read_campaign
from alworkbench.simulation.difference import first_difference
from alworkbench.simulation.load.project_data import data_of_project
from alworkbench.simulation.plan import OraclePlan, Plan
from alworkbench.simulation.replay import replay
from alworkbench.simulation.rerun import plan_of
from alworkbench.simulation.results import save_result
from alworkbench.simulation.runner import simulate
from store import memory_store
from tests.making_project import NAMES, answering, closing, copied


@pytest.fixture(scope="module")
def campaign(kept_project, tmp_path_factory):
    """Rounds of three strategies, a take-back, an audit draw, learning from a file, opened twice.

    Tests share it: a replay changes nothing of it.
    """
    project = copied(kept_project, tmp_path_factory.mktemp("campaign") / "project")
    answers = answering(project)
    with closing(project.open()) as workbench:
        workbench.rounds.propose("epig", 4)
        answers(workbench, 3)
        workbench.labels.undo("ada", "back")
        workbench.rounds.close()
        workbench.rounds.propose("random", 4)
        answers(workbench, 4)
        workbench.rounds.close()
    with closing(project.open()) as workbench:
        workbench.audit.draw(5)
        answers(workbench, 5)
        workbench.rounds.close()
        with workbench.session.store.read() as reader:
            (image, content), *_ = [
                (i, c)
                for i, c in reader.images.ids_and_hashes(Role.POOL)
                if i not in reader.labels.current(Role.POOL)
            ]
        table = project.folder / "more.csv"
        table.write_text(
            f"image,label\n{workbench.images.get(image).paths[0]},{project.truth[content]}\n"
        )
        workbench.labels.import_file(table, "file")
        workbench.learners.learn()
        workbench.rounds.propose("margin", 4)
        answers(workbench, 4)
        workbench.rounds.close()
        workbench.rounds.propose("epig", 4, seed=77)
        yield workbench


def test_a_campaign_replays_to_the_same_batches(campaign):
    found = replay(campaign, memory_store)
    assert found.difference is None
    assert (found.rounds, found.images, found.learners) == (5, 21, 4)


def test_a_round_is_asked_again_with_the_settings_that_it_recorded(project):
    """A uniform share of 1 samples other images than the default share does."""
    with closing(project.open()) as workbench:
        settings = AcquisitionSettings(uniform_share=1.0)
        workbench.rounds.propose("power-margin", 4, acquisition=settings)
        (stored,) = workbench.rounds.all()
        assert stored.settings["acquisition_settings"] == settings.record()
        assert replay(workbench, memory_store).difference is None
        record = record_of(workbench)
        unknown = {k: v for k, v in stored.settings.items() if k != "acquisition_settings"}
        old = replace(record, rounds=(replace(stored, settings=unknown),))
        assert replay(workbench, memory_store, campaign=old).difference is not None


def test_a_learner_is_learned_again_with_the_settings_that_it_recorded(project, answers):
    """Under a narrow prior the labels change nothing, so other images have the smallest margins."""
    with closing(project.open()) as workbench:
        settings = AdaptationSettings(prior_variances=(1e-6,), residual_shares=(0.0,))
        workbench.rounds.propose("random", 6)
        answers(workbench, 6)
        workbench.rounds.close()
        workbench.learners.learn(adaptation=settings)
        workbench.rounds.propose("margin", 4)
        record = record_of(workbench)
        stored = record.learners[-1].settings
        assert stored["adaptation_settings"] == settings.record()
        assert replay(workbench, memory_store).difference is None
        learners = tuple(
            replace(
                each,
                settings={k: v for k, v in each.settings.items() if k != "adaptation_settings"},
            )
            for each in record.learners
        )
        old = replace(record, learners=learners)
        assert replay(workbench, memory_store, campaign=old).difference is not None


def record_of(workbench):
    with workbench.session.store.read() as reader:
        return read_campaign(reader)


def test_a_changed_label_is_named(campaign):
    record = record_of(campaign)
    changed = [each for each in record.labels if each.annotator == "ada"][1]
    other = next(c.id for c in record.class_lists[0].classes if c.id != changed.class_id)
    labels = [replace(each, class_id=other) if each is changed else each for each in record.labels]
    found = replay(campaign, memory_store, campaign=replace(record, labels=tuple(labels)))
    assert found.difference.round == 1
    assert found.difference.image == record.hashes[changed.image_id]
    assert "label 2 of 2" in found.difference.what


def test_a_changed_seed_is_named(campaign):
    record = record_of(campaign)
    rounds = [replace(r, seed=r.seed + 1) if r.number == 2 else r for r in record.rounds]
    found = replay(campaign, memory_store, campaign=replace(record, rounds=tuple(rounds)))
    assert found.difference.round == 2
    assert "seed" in found.difference.what


def test_a_changed_batch_is_named_with_its_place_and_the_versions(campaign):
    record = record_of(campaign)
    asked = record.rounds[3]
    items = list(record.items[asked.id])
    items[1], items[2] = items[2], items[1]
    then = {**asked.settings, "versions": {**asked.settings["versions"], "torch": "1.0"}}
    rounds = [replace(r, settings=then) if r is asked else r for r in record.rounds]
    changed = replace(record, rounds=tuple(rounds), items={**record.items, asked.id: tuple(items)})
    found = replay(campaign, memory_store, campaign=changed).difference
    assert (found.round, found.position) == (4, 2)
    assert found.image == record.hashes[items[1].image_id]
    assert found.found == record.hashes[items[2].image_id]
    assert any("torch 1.0 then" in why for why in found.why)


def test_a_class_that_came_later_is_not_there_before(project, answers):
    with closing(project.open()) as workbench:
        workbench.rounds.propose("epig", 3)
        answers(workbench, 3)
        workbench.rounds.close()
        with workbench.session.store.write() as writer:
            known = writer.classes.current().classes
            order = (known[1], known[0], *known[2:])
            writer.classes.add(ClassList(order), workbench.session.now())
        record = record_of(workbench)
        assert [c.name for c in record.class_lists[1].classes] == [NAMES[i] for i in (1, 0, 2, 3)]
        assert len(record.class_lists) == 2


def test_what_cannot_be_replayed_is_said(workbench):
    with pytest.raises(NotReplayable, match="nothing to replay"):
        replay(workbench, memory_store)
    workbench.rounds.propose("random", 3)
    record = record_of(workbench)
    assert LabelClass("ant").name in record.class_lists[0].names


def test_a_simulation_runs_again_from_its_result_and_a_changed_image_is_named(
    tmp_path, workbench, answers
):
    plan = Plan(
        ("random", "margin"),
        seeds=2,
        labels=8,
        batch_sizes=(4,),
        oracle=OraclePlan(noise=0.1, seconds=(1.0, 2.0)),
    )
    workbench.rounds.propose("random", 30)
    answers(workbench, 30)
    workbench.rounds.close()
    data = data_of_project(workbench, None)
    points = simulate(data, plan, memory_store)
    kept = save_result(tmp_path, "toy", "k", plan, {}, points, workbench.session.now())
    again = plan_of(kept)
    assert again == plan
    assert first_difference(kept.points, simulate(data, again, memory_store)) is None
    moved = [
        replace(p, images=tuple(reversed(p.images))) if k == 4 else p for k, p in enumerate(points)
    ]
    found = first_difference(moved, points)
    assert (found.round, found.position) == (points[4].round, 1)
