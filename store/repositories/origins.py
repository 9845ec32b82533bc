"""Where labels of other projects were asked for."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import Connection, select

from alworkbench.core.domain import LabelOrigin
from store.origin_schema import LabelOriginRow


def origins(connection: Connection) -> dict[int, LabelOrigin]:
    """Label id -> where it was asked for, of each label that another project recorded."""
    columns = [getattr(LabelOriginRow, each.name) for each in fields(LabelOrigin)]
    rows = connection.execute(select(LabelOriginRow.label_id, *columns))
    return {label_id: LabelOrigin(*values) for label_id, *values in rows}
