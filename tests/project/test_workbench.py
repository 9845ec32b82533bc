"""The service: the loop as a whole, what it refuses, and that reopening loses nothing."""

from dataclasses import replace

import pytest

from alworkbench.core.domain import Answer, AnswerKind, Role, RoundState
from alworkbench.core.errors import (
    EncoderMismatch,
    FeaturesMissing,
    InvalidLabelFile,
    LeaseLost,
    NoOpenRound,
    NothingToUndo,
    PoolExhausted,
    RoundStillOpen,
    UnknownClass,
    UnknownItem,
    UnknownStrategy,
)
from tests.making_project import AUDIT, NAMES, POOL, closing, picture


def skipped(event_id, item):
    token = item.lease.token
    return Answer(
        event_id, item.image_id, AnswerKind.SKIP, "ada", item_id=item.id, lease_token=token
    )


def test_the_loop_asks_learns_measures_and_asks_again(workbench, answers):
    first = workbench.rounds.propose()
    assert (first.number, first.state, first.learner_id) == (1, RoundState.OPEN, None)
    items = workbench.rounds.items(first.id)
    assert len(items) == 5
    assert all(0 < item.suggestion.probability <= 1 for item in items)
    answers(workbench, 5)
    after = workbench.rounds.close()
    assert after.labels == 5
    assert after.audit_images == AUDIT
    assert [m.round_number for m in workbench.measurements.all()] == [0, 1]
    second = workbench.rounds.propose()
    assert second.number == 2
    assert second.learner_id is not None
    asked = {i.image_id for i in items} & {i.image_id for i in workbench.rounds.items(second.id)}
    assert not asked


def test_reopening_loses_nothing_and_ranks_the_same(project, answers):
    with closing(project.open()) as one:
        one.rounds.propose()
        answers(one, 5)
        one.rounds.close()
        status = one.status()
        asked = one.rounds.propose(seed=7)
        first = [(i.image_id, round(i.score, 5)) for i in one.rounds.items(asked.id)]
    with closing(project.open()) as other:
        assert other.rounds.items(asked.id) == other.rounds.items(other.rounds.current().id)
        other.rounds.close(force=True)
        assert other.status().labels == status.labels == 5
    # the same labels and seed in a process that restored its learner from the file
    with closing(project.open()) as again:
        newest = again.rounds.propose(seed=7)
        assert [(i.image_id, round(i.score, 5)) for i in again.rounds.items(newest.id)] == first


def test_learning_again_leaves_earlier_learners_as_they_were(workbench, answers, project):
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()
    (before,) = [(p.name, p.read_bytes()) for p in (project.folder / "learners").iterdir()]
    workbench.learners.learn()
    found = {p.name: p.read_bytes() for p in (project.folder / "learners").iterdir()}
    assert len(found) == 2
    assert found[before[0]] == before[1]


def test_an_answer_is_recorded_once_however_often_it_is_sent(workbench, answers):
    workbench.rounds.propose()
    (answer,) = answers(workbench, 1)
    first = workbench.labels.record(answer)
    assert workbench.labels.record(answer) == first
    with workbench.session.store.read() as reader:
        assert reader.labels.count() == AUDIT + 1


def test_undo_takes_back_the_newest_and_acts_once(workbench, answers):
    workbench.rounds.propose()
    one, two = answers(workbench, 2)
    assert workbench.labels.undo("ada", "u1").event_id == two.event_id
    assert workbench.labels.undo("ada", "u1").event_id == two.event_id
    assert workbench.labels.undo("ada", "u2").event_id == one.event_id
    with pytest.raises(NothingToUndo):
        workbench.labels.undo("ada", "u3")
    assert workbench.status().labels == 0
    assert {i.image_id for i in workbench.labels.claim("ada", 5)} >= {one.image_id, two.image_id}


def test_two_annotators_never_hold_one_image_and_an_expired_lease_frees_it(workbench, project):
    workbench.rounds.propose()
    ada, bob = workbench.labels.claim("ada", 3), workbench.labels.claim("bob", 5)
    assert not {i.id for i in ada} & {i.id for i in bob}
    stolen = Answer(
        "x", ada[0].image_id, AnswerKind.SKIP, "bob", item_id=ada[0].id, lease_token="no"
    )
    with pytest.raises(LeaseLost):
        workbench.labels.record(stolen)
    project.clock.tick(minutes=11)
    assert {i.id for i in workbench.labels.claim("bob", 5)} >= {i.id for i in ada}


def test_an_answer_that_comes_after_the_round_was_closed_is_kept(workbench, answers):
    workbench.rounds.propose()
    item = workbench.labels.claim("ada", 1)[0]
    workbench.rounds.close(force=True)
    late = skipped("late", item)
    assert workbench.labels.record(late).event_id == "late"
    assert workbench.status().skipped == 1


def test_skips_are_answers_and_nothing_is_learned_from_them(workbench):
    workbench.rounds.propose()
    for item in workbench.labels.claim("ada", 5):
        workbench.labels.record(skipped(f"e{item.id}", item))
    before = workbench.measurements.all()[0]
    after = workbench.rounds.close()
    assert after.labels == 0
    assert after.values["accuracy"] == before.values["accuracy"]
    asked = workbench.rounds.propose()
    assert not {i.image_id for i in workbench.rounds.items(asked.id)} & set(
        workbench_skipped(workbench)
    )


def workbench_skipped(workbench):
    with workbench.session.store.read() as reader:
        return [
            i for i, label in reader.labels.current(Role.POOL).items() if label.class_id is None
        ]


def test_audit_images_are_never_asked_and_the_pool_ends(workbench, answers):
    with workbench.session.store.read() as reader:
        audit = {i for i, _ in reader.images.ids_and_hashes(Role.AUDIT)}
    asked = set()
    while True:
        try:
            opened = workbench.rounds.propose("random", 15)
        except PoolExhausted:
            break
        asked |= {item.image_id for item in workbench.rounds.items(opened.id)}
        answers(workbench, 15)
        workbench.rounds.close()
    assert len(asked) == POOL
    assert not asked & audit


class TestRefusals:
    def test_a_second_round_while_one_is_open(self, workbench):
        workbench.rounds.propose()
        with pytest.raises(RoundStillOpen, match="5 unanswered"):
            workbench.rounds.propose()

    def test_an_unknown_strategy_opens_nothing(self, workbench):
        with pytest.raises(UnknownStrategy):
            workbench.rounds.propose("nonsense")
        assert workbench.rounds.current() is None

    def test_closing_or_claiming_without_a_round(self, workbench):
        for act in (workbench.rounds.close, lambda: workbench.labels.claim("ada", 1)):
            with pytest.raises(NoOpenRound):
                act()

    def test_an_item_that_was_never_asked(self, workbench):
        with pytest.raises(UnknownItem):
            workbench.labels.record(Answer("e", 1, AnswerKind.SKIP, "ada", item_id=999))

    def test_images_without_features(self, workbench, tmp_path):
        picture(tmp_path / "more" / "new.png", 999)
        workbench.images.add(tmp_path / "more")
        with pytest.raises(FeaturesMissing, match="1 of 41 images"):
            workbench.rounds.propose()

    def test_features_of_another_encoder(self, workbench, project, tmp_path):
        from alworkbench.features.feature_file_io import read_feature_file, write_feature_file

        other = tmp_path / "other.npz"
        write_feature_file(other, replace(read_feature_file(project.features), encoder="other"))
        with pytest.raises(EncoderMismatch):
            workbench.features.take(other)


class TestLabelFiles:
    def write(self, tmp_path, *rows):
        path = tmp_path / "labels.csv"
        path.write_text("\n".join(["image,label", *rows]) + "\n")
        return path

    def test_rows_are_recorded_once(self, workbench, project, tmp_path):
        pool = [h for h, name in project.truth.items()][:3]
        path = self.write(tmp_path, *(f"{h},{project.truth[h]}" for h in pool))
        assert workbench.labels.import_file(path, "csv").recorded == 3
        again = workbench.labels.import_file(path, "csv")
        assert (again.recorded, again.known) == (0, 3)
        assert workbench.status().labels == 3

    def test_an_unknown_class_records_nothing(self, workbench, project, tmp_path):
        first, second, *_ = project.truth
        path = self.write(tmp_path, f"{first},{NAMES[0]}", f"{second},bea")
        with pytest.raises(UnknownClass, match="Did you mean 'bee'"):
            workbench.labels.import_file(path, "csv")
        assert workbench.status().labels == 0

    def test_an_unknown_image_records_nothing(self, workbench, project, tmp_path):
        first, *_ = project.truth
        path = self.write(tmp_path, f"{first},{NAMES[0]}", f"nowhere.png,{NAMES[0]}")
        with pytest.raises(InvalidLabelFile, match="line 3"):
            workbench.labels.import_file(path, "csv")
        assert workbench.status().labels == 0

    @pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"image,label\n\xff\xfe,x\n", b""])
    def test_what_is_no_label_file_is_refused(self, workbench, tmp_path, content):
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        with pytest.raises(InvalidLabelFile):
            workbench.labels.import_file(path, "csv")

    def test_exported_labels_can_be_read_back(self, workbench, answers, tmp_path):
        workbench.rounds.propose()
        answers(workbench, 5)
        workbench.labels.undo("ada", "u")
        assert workbench.labels.export(tmp_path / "now.csv").rows == AUDIT + 4
        assert workbench.labels.export(tmp_path / "all.jsonl", history=True).rows == AUDIT + 5
        before = workbench.status().labels_per_class
        workbench.labels.import_file(tmp_path / "now.csv", "reader")
        assert workbench.status().labels_per_class == before


def test_a_picture_is_shown_from_any_file_with_its_content(workbench):
    with workbench.session.store.read() as reader:
        (_, content), *_ = reader.images.ids_and_hashes(Role.POOL)
    shown = workbench.images.display(content)
    assert shown.media_type == "image/png"
    assert shown.data.startswith(b"\x89PNG")
