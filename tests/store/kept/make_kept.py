"""Make the kept database of a schema: a small project, as the code of that schema wrote it.

It runs with the code of the last commit of that schema, from the root of its checkout:

    python make_kept.py NUMBER.sql

Whatever the version, the project holds the same: six pictures in the pool, two in the audit set, one file in
quarantine, three classes, an encoder, a posterior, two rounds (one closed, with learner and metrics), seven
labels of two people, and two take-backs.
"""

import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

try:
    from alworkbench.core import domain
except ImportError:  # before the modules were put into rooms
    from alworkbench import domain

from store import create_store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def content(number):
    return f"{number:064x}"


def answer(event, image, who, kind="class", class_id=1, **more):
    kind = domain.AnswerKind(kind)
    if kind != domain.AnswerKind.CLASS:
        class_id = None
    return domain.Answer(event, image, kind, who, class_id=class_id, **more)


def new_round(strategy, images, posterior, learner):
    items = [domain.NewItem(i, i / 8, domain.Suggestion(2, 0.75)) for i in images]
    return domain.NewRound(
        strategy=strategy,
        seed=2**40 + 3,
        class_list_id=1,
        posterior_id=posterior,
        learner_id=learner,
        seconds=0.5,
        items=items,
        settings={"draws": 8},
    )


def fill(store):
    found = [domain.FoundImage(content(n), f"été/{n}.png", 100 + n, 32, 24) for n in range(1, 7)]
    audit = [domain.FoundImage(content(n), f"{n}.png", 100 + n, 32, 24) for n in (7, 8)]
    bad = [domain.QuarantinedFile("bad.png", domain.QuarantineCode.TRUNCATED, "too short")]
    with store.write() as w:
        w.images.add(found, bad, root="/photos", role=domain.Role.POOL)
        w.images.add(audit, [], root="images", role=domain.Role.AUDIT)
        w.computed.set_encoder(domain.EncoderRecord("f" * 16, "features:toy"))
        posterior = w.computed.add_posterior("f" * 16, "posteriors/one.safetensors", {"n": 5}, NOW)
    with store.write() as w:
        asked = w.rounds.open(new_round("random", [1, 2, 3], posterior.id, None), NOW)
        w.labels.add(answer("audit", 7, "file", class_id=3), NOW)
    with store.write() as w:
        held = w.rounds.claim(asked.id, "ann", 3, NOW, NOW + 5 * MINUTE)
        for n, item in enumerate(held):
            given = answer(
                f"a{n}",
                item.image_id,
                "ann",
                class_id=n + 1,
                item_id=item.id,
                duration_ms=1500 + n,
                suggested_class_id=2,
            )
            w.labels.add(given, NOW + n * MINUTE)
        w.labels.retract(2, "undo-1", "ann", NOW + 3 * MINUTE)
        w.labels.add(answer("b0", 1, "bob", "cannot_tell", item_id=held[0].id), NOW + 4 * MINUTE)
    with store.write() as w:
        w.rounds.close(asked.id, NOW + 5 * MINUTE)
        learner = w.computed.add_learner(
            round_id=asked.id,
            posterior_id=posterior.id,
            class_list_id=1,
            file="learners/1.safetensors",
            labels=3,
            settings={"ridge": 0.1},
            now=NOW + 6 * MINUTE,
        )
        w.computed.add_metrics(
            domain.MetricRecord(1, learner.id, 3, 1, {"accuracy": 0.5}, NOW + 7 * MINUTE)
        )
    with store.write() as w:
        second = w.rounds.open(
            new_round("margin", [4, 5], posterior.id, learner.id), NOW + 8 * MINUTE
        )
        held = w.rounds.claim(second.id, "bob", 2, NOW + 8 * MINUTE, NOW + 13 * MINUTE)
        w.labels.add(answer("b1", 4, "bob", "skip", item_id=held[0].id), NOW + 9 * MINUTE)
        w.labels.add(answer("b2", 6, "bob", class_id=2), NOW + 10 * MINUTE)
        w.labels.retract(7, "undo-2", "bob", NOW + 11 * MINUTE)


def main():
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        settings = domain.ProjectSettings("animals", seed=7)
        classes = domain.ClassList(tuple(domain.LabelClass(name) for name in ("cat", "dog", "owl")))
        with closing(create_store(Path(scratch), settings, classes, NOW)) as store:
            fill(store)
        with closing(sqlite3.connect(Path(scratch) / "project.db")) as connection:
            lines = list(connection.iterdump())
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
