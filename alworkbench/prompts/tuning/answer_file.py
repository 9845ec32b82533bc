"""A CSV file of tuned answers that an interrupted run continues.

The columns are the content hash, the path, the predicted class, its probability (confidence), and the
probabilities of all classes, `p:NAME` for each class. Rows are sorted by content hash, so that the file is
the same in whatever order the images came. Numbers have nine digits, which give back every float32.

The settings lie beside it: `answers.settings.json` for `answers.csv`.

Dimensions used in this file
    C  classes
"""

from __future__ import annotations

import csv
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from alworkbench.core.atomic_files import atomic_path, write_atomically
from alworkbench.core.errors import InvalidAnswerFile
from alworkbench.inputs.formula_guard import harmless
from alworkbench.prompts.tuning.recipe import TuningRecipe

FORMAT = "alworkbench-tuned-answers-1"
COLUMNS = ("hash", "path", "class", "confidence")
"""In front of the probabilities of the classes."""
HASH = re.compile(r"[0-9a-f]{64}")
SECONDS_BETWEEN = 30.0
"""A run saves its answers no more often than this ..."""
MOST_OF_THE_TIME = 0.05
"""... and spends at most about this share of its time on it: the whole file is written again."""
SUM_TOLERANCE = 1e-3
"""Of the probabilities of a line, which have nine digits each."""
SHOWN = 60
"""Characters of a setting in a message."""


class AnswerFile:
    """The answers of one recipe. `add` keeps an answer in memory; `save` brings all to the disk."""

    def __init__(self, path: Path, recipe: TuningRecipe) -> None:
        """Reads the answers of an earlier run; a file that does not exist has none.

        Raises InvalidAnswerFile if the file is no .csv file, is damaged, is not a file of answers, or has
        answers of another recipe.
        """
        if path.suffix != ".csv":
            raise InvalidAnswerFile(path, f"answers are written as .csv, not as {path.suffix!r}")
        self.path = path
        self.settings_path = path.with_suffix(".settings.json")
        self._record = {"format": FORMAT, **recipe.record()}
        self._classes = recipe.class_names
        self._header = [*COLUMNS, *(f"p:{name}" for name in recipe.class_names)]
        self._rows: dict[str, list[str]] = {}
        self._saved_at = time.perf_counter()
        self._seconds = 0.0  # of the last save
        if path.exists():
            self._check_settings()
            self._rows = dict(self._read())

    def __contains__(self, content_hash: str) -> bool:
        """Whether there is an answer for the image."""
        return content_hash in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, content_hash: str, path: str, probabilities: Float[Tensor, "C"]) -> None:
        """Keep the answer for an image; of equal probabilities the first class is the answer."""
        values = probabilities.tolist()
        best = max(range(len(values)), key=values.__getitem__)
        named = harmless(path), harmless(self._classes[best])
        self._rows[content_hash] = [content_hash, *named, *map(_digits, (values[best], *values))]

    def probabilities(self, content_hash: str) -> list[float]:
        """The probability of each class in the answer for this image. Raises KeyError where it has none."""
        return [float(value) for value in self._rows[content_hash][len(COLUMNS) :]]

    def save(self) -> None:
        """Write all answers. They are on the disk when this returns."""
        began = time.perf_counter()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # First the settings: answers without settings could not be continued.
        text = json.dumps(self._record, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(self.settings_path, text.encode())
        with (
            atomic_path(self.path) as draft,
            draft.open("w", encoding="utf-8", newline="") as stream,
        ):
            writer = csv.writer(stream)
            writer.writerow(self._header)
            writer.writerows(self._rows[content_hash] for content_hash in sorted(self._rows))
        self._saved_at = time.perf_counter()
        self._seconds = self._saved_at - began

    def save_if_due(self) -> None:
        """Save if the last time was long enough ago."""
        due = max(SECONDS_BETWEEN, self._seconds / MOST_OF_THE_TIME)
        if time.perf_counter() - self._saved_at >= due:
            self.save()

    def _check_settings(self) -> None:
        try:
            found = json.loads(self.settings_path.read_bytes())
            if not isinstance(found, dict):
                raise ValueError("it is not a JSON object")
        except FileNotFoundError as error:
            raise InvalidAnswerFile(
                self.path, f"it exists, but its settings ({self.settings_path}) are missing"
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise InvalidAnswerFile(
                self.path, f"its settings ({self.settings_path}) cannot be read: {error}"
            ) from error
        other = list(_differences(found, self._record))
        if other:
            raise InvalidAnswerFile(
                self.path, f"its answers have other settings ({'; '.join(other)})"
            )

    def _read(self) -> Iterator[tuple[str, list[str]]]:
        try:
            with self.path.open(encoding="utf-8", errors="strict", newline="") as stream:
                rows = csv.reader(stream, strict=True)
                if next(rows, None) != self._header:
                    raise InvalidAnswerFile(self.path, "its first line has other columns")
                known = set()
                for row in rows:
                    if _damaged(row, len(self._header)):
                        raise InvalidAnswerFile(self.path, f"line {rows.line_num} is damaged")
                    if row[0] in known:
                        raise InvalidAnswerFile(
                            self.path, f"line {rows.line_num} repeats the image {row[0][:12]}"
                        )
                    known.add(row[0])
                    yield row[0], row
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InvalidAnswerFile(self.path, f"it cannot be read: {error}") from error


def _digits(value: float) -> str:
    return f"{value:.9g}"


def _damaged(row: list[str], columns: int) -> bool:
    """Whether a line lacks something: a column, a hash, or probabilities that sum to 1."""
    if len(row) != columns or not HASH.fullmatch(row[0]):
        return True
    try:
        total = math.fsum(map(float, row[len(COLUMNS) :]))
    except ValueError:
        return True
    return not math.isclose(total, 1.0, abs_tol=SUM_TOLERANCE)


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    """What differs between two records, by the names of the settings, such as `views.count`."""
    for name in {**before, **now}:
        one, other = before.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differences(one, other, f"{above}{name}.")
        elif one != other:
            yield f"{above}{name} was {_shown(one)} and is {_shown(other)} now"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
