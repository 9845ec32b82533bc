"""A project as pandas tables, for notebooks and scripts. They are copies: a change of one changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from alworkbench.core.domain import AnswerKind, Role
from alworkbench.inputs.label_formats.record import KINDS
from alworkbench.project.label_export import LabelRecords
from alworkbench.project.prediction_file import columns, prediction_rows
from alworkbench.project.predictions import Predictions
from alworkbench.project.round_rows import COLUMNS as ROUND_COLUMNS
from alworkbench.project.round_rows import round_rows
from alworkbench.project.session import Session, resolve

if TYPE_CHECKING:
    from pandas import DataFrame

IMAGE_COLUMNS = ("image", "path", "hash", "role", "label", "answer")
"""As in a file of `alworkbench round`, with the role (`pool` or `audit`)."""


class Tables:
    """Reads a project into data frames. Their columns have the names of the files that commands write.

    The column `hash` (SHA-256 of the file's bytes) is the same in all tables, so that they can be joined by
    it. pandas is loaded by the first table.
    """

    def __init__(self, session: Session, predictions: Callable[[], Predictions]) -> None:
        """`predictions` is a function, so that tables without predictions load no model."""
        self._session = session
        self._predictions = predictions

    def images(self) -> DataFrame:
        """One row for each image of the pool and of the audit set, with the answer that counts.

        Columns are IMAGE_COLUMNS: `image` is the stored path and `path` its place now; `label` is the class
        that counts (empty without one); `answer` is class, skip, cannot_tell or empty.
        """
        import pandas as pd

        rows = []
        with self._session.store.read() as reader:
            names = reader.classes.current().counted_names
            for role in Role:
                given = reader.labels.current(role)
                for (image, content), (_, stored) in zip(
                    reader.images.ids_and_hashes(role),
                    reader.images.hashes_and_paths(role),
                    strict=True,
                ):
                    label = given.get(image)
                    path = str(resolve(self._session.folder, stored))
                    named = label is not None and label.kind is AnswerKind.CLASS
                    name = names.get(label.class_id, "") if label and named else ""
                    answer = label.kind.value if label else ""
                    rows.append((stored, path, content, role.value, name, answer))
        return pd.DataFrame(rows, columns=list(IMAGE_COLUMNS))

    def labels(self, *, history: bool = False) -> DataFrame:
        """The labels that count now, or with `history` every label: the rows of `alworkbench export`.

        Times are in UTC. A text that there is not is empty.
        """
        import pandas as pd

        with self._session.store.read() as reader:
            rows = [
                {n: "" if row[n] is None and kind is str else row[n] for n, kind in KINDS.items()}
                for row in LabelRecords(reader, history=history)
            ]
        found = pd.DataFrame(rows, columns=list(KINDS))
        for name in (name for name, kind in KINDS.items() if kind is datetime):
            found[name] = pd.to_datetime(found[name], utc=True, format="ISO8601")
        kinds = {int: "Int64", float: "float64", bool: "bool"}
        return found.astype({n: kinds[kind] for n, kind in KINDS.items() if kind in kinds})

    def predictions(
        self, roles: Sequence[Role] = tuple(Role), top: int = 1, *, uncertainty: bool = False
    ) -> DataFrame:
        """The likeliest classes of each image: the rows of `alworkbench predict`, with the same options.

        Holds all images of these roles in memory. Raises FeaturesMissing, PosteriorMissing, and ValueError
        for less than one class.
        """
        import pandas as pd

        run = self._predictions().of(roles, top, uncertainty=uncertainty)
        names = list(columns(top, uncertainty))
        found = pd.DataFrame(list(prediction_rows(run, top)), columns=names)
        figures = {name: "float64" for name in names if name.startswith("probability")}
        return found.astype({**figures, "learner": "Int64"})

    def round(self, number: int | None = None) -> DataFrame:
        """The images of a round; without a number of the open round, or else of the newest.

        The rows of `alworkbench round`. Raises NoOpenRound before the first round, and UnknownRound.
        """
        import pandas as pd

        rows = [asdict(row) for row in round_rows(self._session, number).rows]
        found = pd.DataFrame(rows, columns=list(ROUND_COLUMNS))
        return found.astype({"suggestion_probability": "float64", "score": "float64"})
