"""Roles of images: changed, with a record of each change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, insert, select, update

from alworkbench.core.domain import Role, RoleChange, RoundState
from alworkbench.core.errors import ImageInUse, NotInProject
from store.repositories.common import in_chunks
from store.role_schema import RoleChangeRow
from store.schema import ImageRow, ItemRow, LabelRow, RoundRow


def set_role(
    connection: Connection, image_ids: Sequence[int], role: Role, now: datetime, on_purpose: bool
) -> None:
    """See `core.repositories.Images.set_role`."""
    for chunk in in_chunks(image_ids):
        known = set(connection.scalars(select(ImageRow.id).where(ImageRow.id.in_(chunk))))
        for image_id in chunk:
            if image_id not in known:
                raise NotInProject("image", image_id)
        if not on_purpose:
            _refuse_used(connection, chunk)
    for chunk in in_chunks(image_ids):
        changes = connection.execute(
            select(ImageRow.id, ImageRow.role)
            .where(ImageRow.id.in_(chunk), ImageRow.role != role)
            .order_by(ImageRow.id)
        ).all()
        if changes:
            connection.execute(
                insert(RoleChangeRow),
                [
                    {"image_id": image, "former": former, "role": role, "recorded_at": now}
                    for image, former in changes
                ],
            )
        connection.execute(update(ImageRow).where(ImageRow.id.in_(chunk)).values(role=role))


def _refuse_used(connection: Connection, image_ids: Sequence[int]) -> None:
    """Raises ImageInUse for an image that was ever answered, or that the open round asks about."""
    used = (
        (exists().where(LabelRow.image_id == ImageRow.id), "was answered"),
        (
            exists().where(
                ItemRow.image_id == ImageRow.id,
                ItemRow.round_id == RoundRow.id,
                RoundRow.state == RoundState.OPEN,
            ),
            "is asked in the open round",
        ),
    )
    for condition, why in used:
        found = connection.scalar(
            select(ImageRow.hash).where(ImageRow.id.in_(image_ids), condition).limit(1)
        )
        if found is not None:
            raise ImageInUse(found, why)


def role_changes(connection: Connection) -> list[RoleChange]:
    """Every change of a role, oldest first."""
    rows = connection.execute(
        select(
            RoleChangeRow.id,
            RoleChangeRow.image_id,
            RoleChangeRow.former,
            RoleChangeRow.role,
            RoleChangeRow.recorded_at,
        ).order_by(RoleChangeRow.id)
    )
    return [RoleChange(*row) for row in rows]
