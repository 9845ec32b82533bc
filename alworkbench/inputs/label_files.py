"""Labels and class names in text files: read and written. Nothing that is read is trusted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.domain import AnswerKind, Item, Role, Round
from alworkbench.core.errors import InvalidClassList, InvalidLabelFile
from alworkbench.core.ports import Reader
from alworkbench.inputs.csv_tables import InvalidTable, TableLimits, TableRow, read_table
from alworkbench.inputs.formula_guard import harmless

LIMITS = TableLimits(bytes=512 * 2**20, rows=5_000_000)
NEEDED = ("image", "label")
"""Columns of every label file."""

COLUMNS = (
    "image",
    "hash",
    "label",
    "role",
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

_COUNTS = {"": True, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What a line of a label file says about an image."""

    line: int
    image: str
    """A path or a content hash."""
    hash: str
    """The content hash, or an empty text. It decides which image is meant, whatever the path is."""
    kind: AnswerKind
    label: str
    """A class name; empty exactly where `kind` is not CLASS."""
    role: Role | None = None
    """That of the image, where the file says it."""


def read_labels(path: Path) -> Iterator[LabelRow]:
    """The answers in a .jsonl file of objects, or in a CSV table, with `image` and `label`.

    An export is read as it was written: `hash` names the image, `role` says whether it is one of the audit
    set, and `kind` says whether it was skipped or cannot be told. Rows with neither label nor kind hold no
    answer yet and are left out, as are rows of a history that no longer count. Other columns are ignored.
    Raises InvalidLabelFile, with the line.
    """
    try:
        for row in _rows(path, NEEDED):
            if (found := _label_row(row)) is not None:
                yield found
    except InvalidTable as error:
        raise _refused(path, error) from error


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[TableRow]:
    """The rows of a file of either format. Raises InvalidLabelFile."""
    try:
        yield from (
            _objects(path, needed) if path.suffix == ".jsonl" else read_table(path, needed, LIMITS)
        )
    except FileNotFoundError as error:
        raise InvalidLabelFile(
            f"There is no file {path}. Give a CSV file with the columns {' and '.join(needed)}."
        ) from error
    except InvalidTable as error:
        raise _refused(path, error) from error
    except OSError as error:
        raise InvalidLabelFile(
            f"{path} cannot be read: {error.strerror or error}. Give a CSV file with the columns "
            f"{' and '.join(needed)}."
        ) from error


def _refused(path: Path, error: InvalidTable) -> InvalidLabelFile:
    return InvalidLabelFile(
        f"{path} cannot be read as labels: {error.reason}. Nothing was recorded. {error.remedy}"
    )


def read_image_names(path: Path) -> list[str]:
    """The images that a label file or another table with the column `image` names, each by its hash if given.

    Raises InvalidLabelFile.
    """
    return [_hash(row) or row.fields["image"] for row in _rows(path, NEEDED[:1])]


def _label_row(row: TableRow) -> LabelRow | None:
    """The answer of a row; None where it holds none that counts."""
    image, label = row.fields["image"], row.fields["label"]
    kind, counts = (row.fields.get(name, "").strip().lower() for name in ("kind", "counts"))
    kinds = [each.value for each in AnswerKind]
    if counts not in _COUNTS:
        raise InvalidTable(
            f"line {row.line}: counts is {counts[:80]!r}", "Write true or false, or leave it empty."
        )
    if kind and kind not in kinds:
        raise InvalidTable(
            f"line {row.line}: {kind[:80]!r} is no kind of answer", f"Write {', '.join(kinds)}."
        )
    named = bool(label.strip())
    if kind and named is not (kind == AnswerKind.CLASS):
        found = f"the label is {label[:80]!r}" if named else "there is no label"
        raise InvalidTable(
            f"line {row.line}: the kind is {kind}, and {found}",
            "An answer has a label exactly if its kind is class.",
        )
    if not (named or kind) or not _COUNTS[counts]:
        return None
    role = row.fields.get("role", "").strip().lower()
    if role and role not in [each.value for each in Role]:
        raise InvalidTable(
            f"line {row.line}: {role[:80]!r} is no role", "Write pool or audit, or leave it empty."
        )
    return LabelRow(
        row.line,
        image,
        _hash(row),
        AnswerKind(kind) if kind else AnswerKind.CLASS,
        label,
        Role(role) if role else None,
    )


def _hash(row: TableRow) -> str:
    return row.fields.get("hash", "").strip().lower()


def _objects(path: Path, needed: tuple[str, ...]) -> Iterator[TableRow]:
    """The lines of a .jsonl file, each an object with the `needed` names, as rows of texts."""
    if path.stat().st_size > LIMITS.bytes:
        raise InvalidTable(f"it has more than {LIMITS.bytes:,} bytes", "Split it.")
    with path.open(encoding="utf-8-sig", errors="strict", newline="\n") as stream:
        line = 0
        try:
            for line, text in enumerate(stream, 1):
                if text.strip():
                    yield TableRow(line, _texts(json.loads(text, object_pairs_hook=_once), needed))
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise InvalidTable(
                f"line {line}: {error}",
                f"Each line must be a JSON object in UTF-8 with the texts {' and '.join(needed)}.",
            ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name repeats in the object")
    return found


def _texts(found: Any, needed: tuple[str, ...]) -> dict[str, str]:
    """The values that rows are read from as texts, as a CSV table has them."""
    if not isinstance(found, Mapping) or not set(needed) <= set(found):
        raise ValueError(f"it is no object with {' and '.join(needed)}")
    texts = {}
    for name in set(COLUMNS) & set(found):
        value = found[name]
        if value is not None and not isinstance(value, str | bool | int | float):
            raise ValueError(f"{name} is neither a text nor a number")
        texts[name] = "" if value is None else str(value)
    return texts


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
        image: (content, path, role)
        for role in Role
        for (image, content), (_, path) in zip(
            reader.images.ids_and_hashes(role), reader.images.hashes_and_paths(role), strict=True
        )
    }
    counting = {label.id for role in Role for label in reader.labels.current(role).values()}
    for label in reader.labels.all():
        if history or label.id in counting:
            content, path, role = place_of[label.image_id]
            round_of, item = asked.get(label.item_id or 0, (None, None))
            shown = item.suggestion if item else None
            yield {
                "image": path,
                "hash": content,
                "label": class_of.get(label.class_id, "") if label.class_id else "",
                "role": role.value,
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
