"""Where labels of other projects were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, select

from alworkbench.core.domain import LabelOrigin
from store.origin_schema import LabelOriginRow


def origins(connection: Connection, labels: Sequence[int] | None = None) -> dict[int, LabelOrigin]:
    """Label id -> where it was asked for, of each label (of these) that another project recorded."""
    columns = [getattr(LabelOriginRow, each.name) for each in fields(LabelOrigin)]
    wanted = select(LabelOriginRow.label_id, *columns)
    if labels is not None:
        wanted = wanted.where(LabelOriginRow.label_id.in_(labels))
    return {label_id: LabelOrigin(*values) for label_id, *values in connection.execute(wanted)}
