"""Pictures, records and exports for tests of label formats."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from alworkbench.inputs.label_formats.protocol import Export
from alworkbench.inputs.label_formats.record import COLUMNS

LONG = "鷺" * 200
ODD = ("a/b", "..", ".hidden", "con", "NUL.txt", "=cmd|' /C calc'!A0", "-1", "100%", "end.", LONG)
"""Names of classes that are no names of folders, or that a program could take for something else."""
TWINS = ("heron", "Heron", "HERON")
NAMES = ("owl", *TWINS, "Zaunkönig", *ODD)


def picture(path: Path, number: int) -> str:
    """A small picture of its own; its content hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), (number * 37 % 256, number * 91 % 256, 77)).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record(
    order: int, image: str, content: str, label: str | None, **others: Any
) -> dict[str, Any]:
    """A record with every column."""
    found = {
        **dict.fromkeys(COLUMNS),
        "image": image,
        "hash": content,
        "label": label,
        "kind": "class" if label else "skip",
        "role": "pool",
        "annotator": "ada",
        "recorded_at": f"2025-03-01T10:00:{order:02}.125000+00:00",
        "source": "browser",
        "event_id": f"event-{order}",
        "counts": True,
        "project": "birds",
        **others,
    }
    assert set(found) == set(COLUMNS)
    return found


def exported(
    rows: Sequence[dict[str, Any]],
    files: dict[str, Path],
    place: Literal["copy", "link"] = "copy",
    names: tuple[str, ...] = NAMES,
    find: Callable[[str], Path | None] | None = None,
) -> Export:
    """An export of these records; `files` gives the file of each picture that is still there."""
    return Export(rows, names, "birds", find or files.get, history=True, place=place)


def campaign(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Path]]:
    """(records, content hash -> file): all kinds of answers, people, roles and names."""
    rows: list[dict[str, Any]] = []
    files: dict[str, Path] = {}

    def add(name: str) -> tuple[str, str]:
        path = folder / name
        content = picture(path, len(files))
        files[content] = path
        return name, content

    def say(at: tuple[str, str], label: str | None, **others: Any) -> None:
        rows.append(record(len(rows) + 1, *at, label, **others))

    for number, name in enumerate(NAMES):
        say(
            add(f"pool/ein Bild.{number}.png"),
            name,
            round=1,
            position=number + 1,
            strategy="margin",
            score=-1 / (number + 3),
            draw_probability=1e-7 if number % 2 else None,
            suggestion="owl" if number % 3 else None,
            suggestion_probability=0.1 + 0.7 if number % 3 else None,
            calibration="not calibrated" if number % 3 else None,
            duration_ms=1234,
            class_list=2,
            posterior=1,
            learner=number or None,
        )
    say(add("audit/same.jpg"), "owl", role="audit")
    say(add("pool/same.jpg"), "heron")
    say(add("pool/.png.jpg"), None)
    say(add("pool/cannot.jpg"), None, kind="cannot_tell", annotator="Bea")
    both = add("pool/é.jpg")
    say(both, "owl")
    say(both, "heron", annotator="Bea")
    say(both, "heron", annotator="Çağ", role="pool")
    back = add("pool/back.jpg")
    taken = {
        "counts": False,
        "taken_back_at": "2025-03-01T11:00:00+00:00",
        "taken_back_by": "ada",
        "taken_back_event": "undo-1",
    }
    say(back, "heron", **taken)
    say(back, "owl", counts=False)
    say(back, "heron")
    say(add("pool/gone back.jpg"), "owl", **{**taken, "taken_back_event": "undo-2"})
    return rows, files
