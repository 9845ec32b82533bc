"""Roles of images changed on purpose, with the consequence stated first.

An image of the pool teaches, an image of the audit set measures. A change never touches a label: the labels
of an image that moves to the audit set measure from then on, and the next learner does not learn from
them. A learner that has learned from an image is not measured on it (`learners.measure_all`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alworkbench.core.domain import Role
from alworkbench.core.errors import SHOWN, ImageAsked, UnconfirmedRoleChange
from alworkbench.core.ports import Reader, Writer
from alworkbench.project.find_image import find_image
from alworkbench.project.learned_images import (
    LearnedImages,
    learned_hashes,
    write_knowing_learned,
)
from alworkbench.project.session import Session


@dataclass(frozen=True, slots=True)
class Move:
    """Images that get another role, each by the newest path where it was found."""

    role: Role
    """The new one."""
    images: tuple[str, ...]
    known: int
    """Named images that have this role already."""
    labelled: tuple[str, ...]
    """Of the images, those with a class that counts."""
    learned: tuple[str, ...]
    """Of the images, those that the newest learner has learned from."""

    @property
    def needs_confirmation(self) -> bool:
        """Whether it changes what the model learns from: what it has learned, or will learn."""
        return bool(self.learned if self.role is Role.AUDIT else self.labelled)

    @property
    def consequence(self) -> str:
        """What follows from the change, in sentences."""
        moved = f"{_counted(len(self.images))} for the {_NAMES[self.role]}."
        if self.role is Role.AUDIT:
            if self.learned:
                moved += (
                    f" The model has learned from the labels of {len(self.learned)} of them: "
                    f"{_listed(self.learned)}. The next learner does not learn from them "
                    f"(`alworkbench learn`), and learners that did are not measured on them."
                )
            return moved + (
                " An audit set that was chosen by hand says nothing about the rest of the pool."
            )
        if self.labelled:
            moved += (
                f" The next learner learns from the labels of {len(self.labelled)} of them: "
                f"{_listed(self.labelled)}. They measure no longer; earlier measurements stay as they are."
            )
        return moved


_NAMES = {Role.POOL: "pool", Role.AUDIT: "audit set"}


class Roles:
    """Changes the role of images that a person names."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def change(self, names: Sequence[str], role: Role, *, confirmed: bool = False) -> Move:
        """Give images (by path, end of a path or content hash) a role: all of them, or none.

        Raises ImageNotFound, ImageAsked for an image of the open round, and, unless `confirmed`,
        UnconfirmedRoleChange where the change touches what the model has learned or will learn.
        """

        def change(writer: Writer, learned: LearnedImages) -> Move:
            images = [find_image(writer, name).id for name in names]
            return change_roles(self._session, writer, learned, images, role, confirmed=confirmed)

        return write_knowing_learned(self._session, change)


def change_roles(
    session: Session,
    writer: Writer,
    learned: LearnedImages,
    images: Sequence[int],
    role: Role,
    *,
    confirmed: bool = False,
) -> Move:
    """Give images a role within a transaction, as `Roles.change` does.

    Raises OtherLearner, which `write_knowing_learned` catches, where `learned` is not of the newest learner.
    """
    planned, ids = _plan(writer, images, role, lambda: learned.of_newest(writer))
    if planned.needs_confirmation and not confirmed:
        raise UnconfirmedRoleChange(role.value, planned.consequence)
    writer.images.set_role(ids, role, session.now(), on_purpose=True)
    return planned


def check_change(session: Session, reader: Reader, images: Sequence[int], role: Role) -> None:
    """Raises what `change_roles` without a confirmation would raise."""
    planned, _ = _plan(reader, images, role, lambda: learned_hashes(session, reader))
    if planned.needs_confirmation:
        raise UnconfirmedRoleChange(role.value, planned.consequence)


def _plan(
    reader: Reader, images: Sequence[int], role: Role, learned: Callable[[], frozenset[str]]
) -> tuple[Move, list[int]]:
    """What a change would do, and the ids of the images that it would change."""
    distinct = list(dict.fromkeys(images))
    other = Role.POOL if role is Role.AUDIT else Role.AUDIT
    content_of = dict(reader.images.ids_and_hashes(other))
    path_of = dict(reader.images.hashes_and_paths(other))
    place = {
        image: path_of.get(content_of[image], content_of[image])
        for image in distinct
        if image in content_of
    }
    current = reader.rounds.current()
    if current is not None:
        for item in reader.rounds.items(current.id):
            if item.image_id in place:
                raise ImageAsked(place[item.image_id], current.number)
    hashes = learned()
    labels = reader.labels.current(other)
    planned = Move(
        role,
        tuple(place.values()),
        len(distinct) - len(place),
        tuple(
            path
            for image, path in place.items()
            if image in labels and labels[image].class_id is not None
        ),
        tuple(path for image, path in place.items() if content_of[image] in hashes),
    )
    return planned, list(place)


def _counted(images: int) -> str:
    return "1 image is" if images == 1 else f"{images:,} images are"


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")
