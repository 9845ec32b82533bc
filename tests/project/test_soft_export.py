"""Soft labels in an export are what a learner learns from, in every table, and read back as labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from alworkbench.core.domain import Answer, AnswerKind, Consensus, Role
from alworkbench.core.errors import InvalidLabelFile
from alworkbench.inputs.label_formats.mapping import OUR_OWN
from alworkbench.inputs.label_formats.registry import TABLES, format_of
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench


def read_rows(file: Path) -> list[dict[str, Any]]:
    """By other programs than our own."""
    if file.suffix == ".parquet":
        found: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
        return found
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_have_the_targets_that_are_learned_from(
    workbench: Workbench, answers: Callable, tmp_path: Path
) -> None:
    workbench.rounds.propose("random", 4)
    answers(workbench, 4)
    with workbench.session.store.read() as reader:
        given = list(reader.labels.current(Role.POOL).values())
    other = [c.id for c in workbench.classes.current().classes]
    workbench.labels.record_many(
        [
            Answer(f"{who} {n}", each.image_id, AnswerKind.CLASS, who, class_id=other[(n + k) % 4])
            for k, who in enumerate(("bo", "cy"))
            for n, each in enumerate(given)
        ]
    )
    for rule in Consensus:
        with workbench.session.store.write() as writer:
            writer.save_settings(replace(writer.settings(), consensus=rule))
        with workbench.session.store.read() as reader:
            classes = reader.classes.current()
            hash_of = {i: h for role in Role for i, h in reader.images.ids_and_hashes(role)}
            taught = [taught_labels(reader, classes, role) for role in Role]
        assert rule is Consensus.DECIDING or (taught[0].targets.max(dim=1).values < 1).any()
        for form in TABLES:
            file = tmp_path / f"{rule}.{form}"
            workbench.labels.export(file, soft=True)
            rows = read_rows(file)
            assert [each["hash"] for each in rows] == [hash_of[i] for t in taught for i in t.images]
            shares = [[float(each[f"p:{name}"]) for name in classes.names] for each in rows]
            assert shares == [target for t in taught for target in t.targets.tolist()]
            assert [int(each["answers"]) for each in rows] == [
                len(a) for t in taught for a in t.answers
            ]
            deciding = [classes.names[c] for t in taught for c in t.classes]
            read = format_of(file).read(file, OUR_OWN)
            assert [(each.hash, each.label) for each in read] == [
                (row["hash"], name) for row, name in zip(rows, deciding, strict=True)
            ]
    of_one = tmp_path / "bo.csv"
    workbench.labels.export(of_one, soft=True, role=Role.POOL, annotators=["bo"])
    assert [each["answers"] for each in read_rows(of_one)] == ["1"] * 4


def test_pictures_and_histories_hold_no_soft_labels(workbench: Workbench, tmp_path: Path) -> None:
    for target, options in (("soft.json", {"format": "coco"}), ("soft.csv", {"history": True})):
        with pytest.raises(InvalidLabelFile, match="Soft labels are a table"):
            workbench.labels.export(tmp_path / target, soft=True, **options)
        assert not (tmp_path / target).exists()
