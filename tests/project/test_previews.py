"""A previewed batch is opened as it was shown, or refused; what rounds bought is read from records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
import torch

from alworkbench.core.domain import Answer, AnswerKind, JobKind, Role
from alworkbench.core.errors import NoPreview, PreviewOutdated, RoundStillOpen
from alworkbench.features.table import FeatureTable
from alworkbench.project import replay_file
from alworkbench.project.near_copies import near_copies
from alworkbench.project.previews import FILE
from alworkbench.project.ranked_batch import Wish
from alworkbench.project.replay_file import newest_replay
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.kept_replay import replay_and_keep
from store import memory_store
from tests.making_project import POOL

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def opened(workbench: Workbench, round_id: int) -> list[tuple]:
    found = workbench.rounds.items(round_id)
    return [(i.image_id, i.score, i.suggestion, i.probability, i.wanted, i.blind) for i in found]


def previewed(items: list) -> list[tuple]:
    return [(i.image_id, i.score, i.suggestion, i.probability, i.wanted, i.blind) for i in items]


def plain(value: object) -> object:
    """As JSON keeps it."""
    return json.loads(json.dumps(asdict(value), default=str))


def test_a_preview_opens_no_round_and_is_then_opened_as_it_was_shown(workbench: Workbench) -> None:
    strategy = "random"  # its draws have probabilities
    shown = workbench.rounds.previews.make(Wish(strategy, 7))
    assert workbench.rounds.all() == []
    kept = workbench.rounds.previews.kept()
    assert kept is not None
    assert plain(kept) == plain(shown)
    assert workbench.rounds.previews.changed(shown) is None
    round_ = workbench.rounds.previews.open(shown.key, by="ada")
    assert opened(workbench, round_.id) == previewed(shown.batch.items)
    assert (round_.strategy, round_.seed, round_.opened_by) == (strategy, shown.batch.seed, "ada")
    assert workbench.rounds.previews.kept() is None
    with pytest.raises(NoPreview):
        workbench.rounds.previews.open()
    with pytest.raises(RoundStillOpen):
        workbench.rounds.previews.make(Wish())


def test_it_is_the_batch_that_would_have_been_proposed(workbench: Workbench) -> None:
    shown = workbench.rounds.previews.make(Wish("margin"))
    proposed = workbench.rounds.propose("margin")
    assert opened(workbench, proposed.id) == previewed(shown.batch.items)
    same = {k: v for k, v in plain(shown.batch)["settings"].items() if k != "near_copies"}
    assert same == {k: v for k, v in proposed.settings.items() if k != "opened_by"}


def labels_came(workbench: Workbench) -> None:
    with workbench.session.store.write() as writer:
        image = writer.images.ids_and_hashes(Role.POOL)[0][0]
        kind, chosen = AnswerKind.CLASS, writer.classes.current().classes[0].id
        writer.labels.add(Answer("e1", image, kind, "ada", chosen), workbench.session.now())


def classes_changed(workbench: Workbench) -> None:
    workbench.classes.reorder(["bee"])


def roles_changed(workbench: Workbench) -> None:
    with workbench.session.store.write() as writer:
        image, _ = writer.images.ids_and_hashes(Role.POOL)[-1]
        writer.images.set_role([image], Role.AUDIT, workbench.session.now())


def settings_changed(workbench: Workbench) -> None:
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), overlap=2))


def a_round_was_asked(workbench: Workbench) -> None:
    with workbench.session.store.write() as writer:
        kept = workbench.rounds.previews.kept()
        assert kept is not None
        writer.rounds.close(writer.rounds.open(kept.batch, workbench.session.now()).id, EPOCH)


def another_was_chosen(workbench: Workbench) -> None:
    workbench.rounds.previews.make(Wish("random"))


CHANGES = {
    "labels were given": labels_came,
    "the class list changed": classes_changed,
    "changed their role": roles_changed,
    "settings of the project": settings_changed,
    "another round was asked": a_round_was_asked,
    "another batch was chosen": another_was_chosen,
}


def test_a_preview_is_refused_where_what_decided_it_has_changed(workbench: Workbench) -> None:
    previews = workbench.rounds.previews
    for words, change in CHANGES.items():
        shown = previews.make(Wish("margin"))
        assert previews.changed(shown) is None
        change(workbench)
        before = workbench.rounds.all()
        assert change is another_was_chosen or words in (previews.changed(shown) or "")
        with pytest.raises(PreviewOutdated, match=words):
            previews.open(shown.key)
        assert workbench.rounds.all() == before


def test_a_damaged_preview_or_replay_counts_as_none(workbench: Workbench) -> None:
    folder = workbench.session.folder
    for content in (b"", b"{}", b"[1]", b'{"format": 1, "batch": 3}', b"\xff"):
        (folder.path / FILE).write_bytes(content)
        (folder.path / replay_file.FILE).write_bytes(content)
        assert workbench.rounds.previews.kept() is None
        assert newest_replay(folder) is None
        with pytest.raises(NoPreview):
            workbench.rounds.previews.open()


def test_near_copies_are_those_within_the_batch_and_those_with_a_label(
    workbench: Workbench,
) -> None:
    """Among unlike images only two copies are near: the features of one row, moved a little."""
    table = workbench.session.engine().table()
    rows = list(range(POOL))

    class Moved(FeatureTable):
        """The table, in which rows 1 and 2 are near row 0."""

        def __init__(self, size: int = POOL) -> None:
            self.size = size

        def gather(self, wanted, device=None):
            of = torch.where(torch.isin(wanted, torch.tensor([1, 2])), 0, wanted)
            found = table.gather(of)
            noise = 1e-3 * torch.randn(
                found.activations.shape, generator=torch.Generator().manual_seed(1)
            )
            return replace(found, activations=found.activations + noise)

        def without_names(self):
            return self

        def blocks(self, wanted, block, device=None):
            for part in wanted.split(self.size):
                yield part, self.gather(part)

    batch = {row: 100 + row for row in (5, 0, 1)}
    found = near_copies(Moved(), rows, batch, {2: 102, 9: 109}, seed=0)
    near = {(each.image_id, each.of, each.labelled) for each in found}
    assert near == {(100, 101, False), (101, 100, False), (100, 102, True), (101, 102, True)}
    assert all(0.99 < each.cosine <= 1 for each in found)
    in_parts = near_copies(Moved(size=1), rows, batch, {9: 109, 2: 102, 7: 107}, seed=0)
    assert {(each.image_id, each.of, each.labelled) for each in in_parts} == near
    assert near_copies(Moved(), rows, {5: 105}, {}, seed=0) == []
    assert near_copies(Moved(), rows, {}, {2: 102}, seed=0) == []


def test_rounds_say_who_opened_and_closed_them_and_what_they_bought(
    workbench: Workbench, answers: Callable
) -> None:
    job = workbench.jobs.queue(JobKind.RANK, "rank", "bo", {"do": "propose"})
    with workbench.jobs.work_on(job):
        workbench.rounds.propose("random")
    answers(workbench, 3, "ada")
    answers(workbench, 1, "eve")
    workbench.rounds.close()
    workbench.rounds.propose("margin")
    answers(workbench, 5)
    workbench.prepared.prepare()
    workbench.prepared.go_on(by="ada")
    first, second, third = workbench.rounds.history()
    assert (first.round.opened_by, first.round.closed_by) == ("bo", "a script")
    assert (second.round.opened_by, second.round.closed_by) == ("a script", "ada")
    assert (third.round.opened_by, third.round.closed_by) == ("ada", "")
    assert (first.answered, dict(first.by_person)) == (4, {"ada": 3, "eve": 1})
    assert first.estimate is not None
    assert second.estimate is None
    accuracies = [m.values["accuracy"] for m in workbench.measurements.all()]
    assert first.bought is not None
    assert first.bought.before is not None
    assert [first.bought.before.value, first.bought.after.value] == accuracies[:2]
    assert first.bought.change == pytest.approx(accuracies[1] - accuracies[0])
    assert second.bought is None  # its learner is still due
    assert third.bought is None
    workbench.learners.learn(after=second.round)
    again = workbench.rounds.history()[1].bought
    assert again is not None
    assert again.before == first.bought.after


def test_a_round_of_the_audit_set_measures_and_buys_nothing(workbench: Workbench) -> None:
    round_ = workbench.audit.draw(3)
    with workbench.session.store.read() as reader:
        classes = reader.classes.current()
    for item in workbench.labels.claim("ada", 3):
        workbench.labels.record(
            Answer(
                f"e{item.id}", item.image_id, AnswerKind.CLASS, "ada", classes.classes[0].id,
                item_id=item.id, lease_token=item.lease.token if item.lease else None,
            )
        )  # fmt: skip
    workbench.rounds.close()
    (found,) = workbench.rounds.history()
    assert (found.audit, found.round.id) == (True, round_.id)
    if found.bought is not None:
        assert found.bought.before is None


def test_a_replay_is_kept_with_how_far_it_came(workbench: Workbench, answers: Callable) -> None:
    for _ in range(2):
        workbench.rounds.propose("margin")
        answers(workbench, 2)
        workbench.rounds.close()
    folder = workbench.session.folder
    assert newest_replay(folder) is None
    replay_and_keep(workbench, memory_store, until=1)
    kept = newest_replay(folder)
    assert kept is not None
    assert (kept.rounds, kept.of, kept.images, kept.learners) == (1, 1, 5, 1)
    assert kept.identical
    replay_and_keep(workbench, memory_store)
    kept = newest_replay(folder)
    assert kept is not None
    assert (kept.rounds, kept.of, kept.identical, kept.asked_by) == (2, 2, True, "a script")
    jobs = [job for job in workbench.jobs.newest() if job.kind is JobKind.REPLAY]
    assert [job.title for job in jobs] == ["replay all rounds", "replay the rounds up to round 1"]
