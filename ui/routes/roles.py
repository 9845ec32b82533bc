"""Images that a manager moves between the pool and the audit set.

    POST /alw/p/KEY/roles    {images, role, confirmed}: all of them, or none; acknowledged when it is durable

Images are named by their content hashes. An image that has the role already stays as it is, so the same move
can be sent twice. A move that changes what the model has learned, or will learn, needs `confirmed`: without
it, the refusal `unconfirmed` says what would follow.
"""

from __future__ import annotations

from alworkbench.core.domain import Person, PersonRole, Role
from alworkbench.core.errors import ImageNotFound, UnconfirmedRoleChange
from ui.messages import check_fields
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, writing
from ui.routes.notes import MOST_OF_ACT, image_hashes, unknown_image
from ui.state import UiState


def routes(state: UiState) -> list[OurRoute]:
    """Managers say which images measure the model."""

    def move(body: Json, _person: Person) -> Json:
        check_fields(body, {"images", "role", "confirmed"}, set())
        images, confirmed = image_hashes(body), body["confirmed"]
        if body["role"] not in tuple(Role):
            raise Refused(422, "role", f"`role` must be one of {', '.join(Role)}.")
        if not isinstance(confirmed, bool):
            raise Refused(422, "confirmed", "`confirmed` must be true or false.")
        try:
            done = state.workbench.roles.change(images, Role(body["role"]), confirmed=confirmed)
        except ImageNotFound:
            raise unknown_image() from None
        except UnconfirmedRoleChange as problem:
            raise Refused(409, "unconfirmed", problem.consequence) from problem
        return {"stored": True, "moved": len(done.images), "words": done.consequence}

    return [writing(state, "/roles", PersonRole.MANAGER, move, MOST_OF_ACT)]
