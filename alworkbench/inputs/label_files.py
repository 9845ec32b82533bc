"""Labels and class names in text files: read and written. Nothing that is read is trusted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.domain import Item, Role, Round
from alworkbench.core.errors import InvalidClassList, InvalidLabelFile
from alworkbench.core.ports import Reader

MAX_BYTES = 512 * 2**20
MAX_ROWS = 5_000_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")

COLUMNS = (
    "image",
    "hash",
    "label",
    "kind",
    "annotator",
    "recorded_at",
    "source",
    "round",
    "duration_ms",
    "counts",
    "suggestion",
    "suggestion_probability",
    "calibration",
)
"""Columns of an export. The last three are of the suggestion that was shown with the image, if any."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A line of a label file."""

    line: int
    image: str
    """A path or a content hash."""
    label: str
    """A class name; empty means the image was left out."""


def read_labels(path: Path) -> Iterator[LabelRow]:
    """Rows of a CSV with the columns `image` and `label`; other columns are ignored.

    Raises InvalidLabelFile if the file is unreadable, not UTF-8, too large, or lacks a column.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidLabelFile(
                f"{path} has {path.stat().st_size:,} bytes; the limit is {MAX_BYTES:,}. Split it."
            )
        with path.open(encoding="utf-8-sig", errors="strict", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if missing := {"image", "label"} - set(columns):
                raise InvalidLabelFile(
                    f"{path} has no column {' or '.join(sorted(missing))}; found {list(columns)}. "
                    f"Its first line must name the columns: image,label."
                )
            for row in reader:
                if reader.line_num > MAX_ROWS:
                    raise InvalidLabelFile(f"{path} has more than {MAX_ROWS:,} rows. Split it.")
                image, label = (row["image"] or "").strip(), (row["label"] or "").strip()
                yield LabelRow(reader.line_num, image, label)
    except FileNotFoundError as error:
        raise InvalidLabelFile(
            f"There is no file {path}. Give a CSV file with the columns image and label."
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidLabelFile(
            f"{path} is not a CSV file in UTF-8: {error}. Save it as UTF-8."
        ) from error


def read_class_names(path: Path) -> list[str]:
    """Class names, one on each line; empty lines and lines that begin with # are skipped."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidClassList(
            f"{path} cannot be read as a list of classes ({error}). Give a text file in UTF-8 "
            f"with one class name per line."
        ) from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def exported(reader: Reader, *, history: bool) -> Iterator[dict[str, Any]]:
    """The labels of a project as rows of an export: those that count now, or with `history` all of them."""
    class_of = {c.id: c.name for c in reader.classes.current().classes}
    asked: dict[int, tuple[Round, Item]] = {}
    for round_ in reader.rounds.all():
        asked |= {item.id: (round_, item) for item in reader.rounds.items(round_.id)}
    place_of = {
        image: (content, path)
        for role in Role
        for (image, content), (_, path) in zip(
            reader.images.ids_and_hashes(role), reader.images.hashes_and_paths(role), strict=True
        )
    }
    counting = {label.id for role in Role for label in reader.labels.current(role).values()}
    for label in reader.labels.all():
        if history or label.id in counting:
            content, path = place_of[label.image_id]
            round_of, item = asked.get(label.item_id or 0, (None, None))
            shown = item.suggestion if item else None
            yield {
                "image": path,
                "hash": content,
                "label": class_of.get(label.class_id, "") if label.class_id else "",
                "kind": label.kind.value,
                "annotator": label.annotator,
                "recorded_at": label.recorded_at.isoformat(),
                "source": label.source,
                "round": round_of.number if round_of else None,
                "duration_ms": label.duration_ms,
                "counts": label.id in counting,
                "suggestion": class_of.get(shown.class_id, "") if shown else "",
                "suggestion_probability": shown.probability if shown else None,
                "calibration": round_of.calibration.words if round_of and shown else "",
            }


def write_labels(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write exported labels as .csv or .jsonl, whole or not at all; how many."""
    if path.suffix not in (".csv", ".jsonl"):
        raise InvalidLabelFile(
            f"Labels can be written as .csv or .jsonl, not as {path.suffix or 'a file without suffix'!r}. "
            f"Name the file labels.csv, for example."
        )
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for row in rows:
                writer.writerow({name: harmless(row[name]) for name in COLUMNS})
                count += 1
        else:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
    return count


def harmless(value: Any) -> Any:
    """The value, changed so that no spreadsheet runs it as a formula (OWASP ASVS 1.2.10)."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
