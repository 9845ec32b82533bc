"""Settings, class lists, and the records of what was computed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alworkbench.core.domain import ClassList, EncoderRecord, LabelClass, MetricRecord
from alworkbench.core.errors import NotInProject
from alworkbench.core.ports import Store
from store import open_store
from tests.store.making import CLASSES, MINUTE, NOW, SETTINGS, new_project, open_round


def test_settings_are_kept_and_replaced(store: Store) -> None:
    with store.read() as reader:
        assert reader.settings() == SETTINGS
    changed = replace(SETTINGS, strategy="random", batch_size=25)
    with store.write() as writer:
        writer.save_settings(changed)
        assert writer.settings() == changed


def test_a_setting_of_a_newer_program_survives_an_older_one(path: Path) -> None:
    new_project(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE project SET settings = json_set(settings, '$.colour', 'red')")
        connection.commit()
    with closing(open_store(path)) as store, store.write() as writer:
        writer.save_settings(replace(writer.settings(), seed=9))
    with closing(sqlite3.connect(path)) as connection:
        stored = connection.execute(
            "SELECT settings ->> 'colour', settings ->> 'seed' FROM project"
        )
        assert stored.fetchall() == [("red", 9)]


def test_a_class_keeps_its_id_in_every_version(store: Store) -> None:
    with store.write() as writer:
        first = writer.classes.current()
        templates = ("a sketch of a {}.", "{}")
        wanted = ClassList((LabelClass("newt", templates), LabelClass("owl"), LabelClass("cat")))
        second = writer.classes.add(wanted, NOW)
        assert writer.classes.current() == second == writer.classes.get(second.id or 0)
        assert writer.classes.get(first.id or 0) == first
    assert (first.names, first.id) == (CLASSES.names, 1)
    assert second.names == wanted.names
    assert second.classes[0].templates == templates
    ids = {c.name: c.id for c in (*first.classes, *second.classes)}
    assert [c.id for c in first.classes] == [ids["cat"], ids["dog"], ids["owl"]]
    assert len(set(ids.values())) == 4
    with store.read() as reader, pytest.raises(NotInProject, match="class list 9"):
        reader.classes.get(9)


def test_the_newest_posterior_and_learner_are_returned(store: Store) -> None:
    round_ = open_round(store, [1])
    with store.write() as writer:
        computed = writer.computed
        assert computed.encoder() is None
        assert computed.learner() is None
        with pytest.raises(NotInProject, match="encoder 'aa'"):
            computed.add_posterior("aa", "posteriors/1.safetensors", {}, NOW)
        computed.set_encoder(EncoderRecord("aa", "bundled"))
        computed.set_encoder(EncoderRecord("bb", "ViT-B-32:openai"))
        computed.set_encoder(EncoderRecord("aa", "bundled again"))
        assert computed.encoder() == EncoderRecord("aa", "bundled again")
        computed.add_posterior("aa", "p1", {"pairs": 10}, NOW)
        newer = computed.add_posterior("aa", "p2", {"pairs": 20, "prior": [0.5, None]}, NOW)
        computed.add_posterior("bb", "p3", {}, NOW)
        assert computed.posterior("aa") == newer
        assert newer.provenance == {"pairs": 20, "prior": [0.5, None]}
        assert computed.posterior("cc") is None
        learners = [
            computed.add_learner(
                round_id=round_.id,
                posterior_id=newer.id,
                class_list_id=1,
                file=f"learners/{n}.safetensors",
                labels=n,
                settings={"steps": n},
                now=NOW,
            )
            for n in (10, 20)
        ]
        assert computed.learner() == learners[1]
        assert computed.get_learner(learners[0].id) == learners[0]
        with pytest.raises(NotInProject, match="learner 9"):
            computed.get_learner(9)


def test_metrics_of_one_round_and_learner_replace_each_other(store: Store) -> None:
    before = MetricRecord(0, None, 0, 100, {"accuracy": 0.5}, NOW)
    after = replace(before, values={"accuracy": 0.6, "by_class": {"cat": 1.0}})
    later = MetricRecord(1, None, 10, 100, {}, NOW - MINUTE)
    with store.write() as writer:
        for record in (later, before, after):
            writer.computed.add_metrics(record)
        assert writer.computed.metrics() == [after, later]
