"""Rows of a label file as labels for images of a project: every row is understood, or the file is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from os.path import normpath
from pathlib import Path, PurePosixPath

from alworkbench.core.domain import AnswerKind, ProjectFolder, Role, RoleMismatch
from alworkbench.core.ports import Reader
from alworkbench.inputs.contradictions import Said, contradictions
from alworkbench.inputs.label_formats.record import LabelRow
from alworkbench.project.given_labels import GivenLabel
from alworkbench.project.label_findings import Findings
from alworkbench.project.session import portable, stored_id


@dataclass(frozen=True, slots=True)
class GivenByFile:
    """What a label file says about images of the project."""

    labels: list[GivenLabel]
    """In the order of the rows."""
    moves: dict[Role, list[int]]
    """Role -> images that shall take it."""
    left_out: int
    """Rows that are left out because of their role."""
    findings: Findings


def given_by_rows(
    reader: Reader, rows: Sequence[LabelRow], path: Path, roles: RoleMismatch, find: ImageFinder
) -> GivenByFile:
    """What the rows say, and what is wrong with them.

    `roles` says what to do where a row gives an image another role. Rows with an unknown image or class
    are in the findings only.
    """
    # A file names few classes in many rows.
    with_name = cache(reader.classes.current().ever_with_name)
    findings = Findings(path)
    check = RoleCheck(roles, find, findings)
    labels: list[GivenLabel] = []
    said = []
    for row in rows:
        image_id = find.image_id(row.image, row.hash)
        if image_id is None:
            findings.unknown_images.append(f"{(row.image or row.hash)[:300]!r} ({row.where})")
            continue
        named = None
        if row.kind is AnswerKind.CLASS:
            # Blanks around the name are tried as they are first.
            named = with_name(row.label) or with_name(row.label.strip())
            if named is None:
                findings.unknown_classes.setdefault(row.label.strip(), row.where)
                continue
        said.append(Said(image_id, named.name if named else f"kind {row.kind}", row.where))
        if check.allows(image_id, row.role, row.image or row.hash, row.where):
            class_id = None if named is None else stored_id(named.id)
            labels.append(GivenLabel(image_id, row.kind, class_id))
    findings.contradictions += contradictions(said)
    check.finish()
    return GivenByFile(labels, check.moves, check.left_out, findings)


class RoleCheck:
    """Compares the roles that rows give to images with those of the project."""

    def __init__(self, roles: RoleMismatch, find: ImageFinder, findings: Findings) -> None:
        self._roles = roles
        self._find = find
        self._findings = findings
        self._said: list[Said] = []
        self.moves: dict[Role, list[int]] = {}
        """Role -> images that shall take it."""
        self.left_out = 0
        """Rows that are left out."""

    def allows(self, image_id: int, role: Role | None, name: str, where: str) -> bool:
        """Whether the label of this row is recorded. A row without a role says nothing about roles."""
        if role is None:
            return True
        self._said.append(Said(image_id, role.value, where))
        here = self._find.roles()[image_id]
        if role is here:
            return True
        if self._roles is RoleMismatch.REFUSE:
            self._findings.different_roles.append(f"{name} ({where}: {role}, here {here})")
        elif self._roles is RoleMismatch.CHANGE:
            self.moves.setdefault(role, []).append(image_id)
        elif self._roles is RoleMismatch.LEAVE_OUT:
            self.left_out += 1
            return False
        return True

    def finish(self) -> None:
        """Add what rows say differently about one image to the findings."""
        self._findings.contradicting_roles += contradictions(self._said)


class ImageFinder:
    """Finds the images that rows name. One query reads all content hashes, the first time one is needed."""

    def __init__(self, reader: Reader, folder: ProjectFolder, root: Path | None = None) -> None:
        """`root` is the folder that paths are relative to; None: any folder in which they occur once."""
        self._reader = reader
        self._root = None if root is None else portable(folder, root)
        self._by_hash: dict[str, int] | None = None
        self._roles: dict[int, Role] | None = None

    def image_id(self, name: str, content: str = "") -> int | None:
        """The image with this content hash, or without a hash the one that the name means; None for none.

        The name is a path or a content hash. A path does not stand in for an unknown hash: the file there may
        hold another picture.
        """
        wanted = content or (name.strip().lower() if _is_hash(name) else "")
        if wanted:
            found = self._hashes().get(wanted)
            if found is not None or content:
                return found
        for path in dict.fromkeys((name, name.strip())):
            named = self._reader.images.by_path(self._placed(path))
            if named is not None:
                return named.id
        return None

    def _placed(self, path: str) -> str:
        """The path as the project stores it, where a root was given."""
        if self._root is None or PurePosixPath(path).is_absolute():
            return path
        return normpath(PurePosixPath(self._root, path))

    def _hashes(self) -> dict[str, int]:
        if self._by_hash is None:
            self._by_hash = {
                content: image_id
                for role in Role
                for image_id, content in self._reader.images.ids_and_hashes(role)
            }
        return self._by_hash

    def roles(self) -> dict[int, Role]:
        """Image id -> its role, of every image of the project."""
        if self._roles is None:
            self._roles = {
                image_id: role
                for role in Role
                for image_id, _ in self._reader.images.ids_and_hashes(role)
            }
        return self._roles


def _is_hash(name: str) -> bool:
    return len(name.strip()) == 64
