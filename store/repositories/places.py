"""Paths of files relative to the folders that were imported."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from store.repositories.common import new_id
from store.schema import ImageRootRow

Place = tuple[int, str]
"""The id of a root, and a path below it."""


class Places:
    """Finds the root of a file among roots that may contain each other.

    A file belongs to the first stored root that contains it. Roots are only ever added, so that this
    never changes. A picture is recognised when a folder above or below is imported later.
    """

    def __init__(self, connection: Connection, root: str) -> None:
        self._root = _tidy(root)
        rows = connection.execute(
            select(ImageRootRow.root, ImageRootRow.id).order_by(ImageRootRow.id)
        )
        # Only roots above or below this one can hold its files.
        self._candidates = [
            (known, id_)
            for known, id_ in rows
            if known == self._root or _below(self._root, known) or _below(known, self._root)
        ]
        if not any(
            known == self._root or _below(self._root, known) for known, _ in self._candidates
        ):
            id_ = new_id(connection, insert(ImageRootRow).values(root=self._root))
            self._candidates.append((self._root, id_))

    def locate(self, path: str) -> Place:
        """(id of the root, path below it). Raises ValueError for a path that lies below no root."""
        full = joined(self._root, path.removeprefix("./"))
        for root, id_ in self._candidates:
            rest = _below(full, root)
            if rest is not None:
                return id_, rest
        raise ValueError(f"the path {path!r} does not lie below {self._root!r}")


def joined(root: str, path: str) -> str:
    """A path below a root; the empty root is the project folder."""
    if not root:
        return path
    return root + path if root.endswith("/") else f"{root}/{path}"


def _below(full: str, root: str) -> str | None:
    """The path of `full` relative to `root`, or None if it is not inside."""
    if not root:
        return None if re.match(r"/|[A-Za-z]:", full) else full
    prefix = root if root.endswith("/") else root + "/"
    return full.removeprefix(prefix) if full.startswith(prefix) else None


def _tidy(root: str) -> str:
    """`.` and `./a/` become `` and `a`; the project folder itself is the empty root."""
    tidy = root.removeprefix("./")
    return "" if tidy in (".", "") else (tidy.rstrip("/") or "/")


def by_root(located: Iterable[Place]) -> dict[int, list[str]]:
    """Paths by the id of their root, in their order."""
    paths: defaultdict[int, list[str]] = defaultdict(list)
    for root_id, path in located:
        paths[root_id].append(path)
    return paths
