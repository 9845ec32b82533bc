"""Paths that a label file names beside content hashes: do they still hold these pictures?"""

from __future__ import annotations

from collections.abc import Iterable

from alworkbench.project.image_files import Fault, file_faults
from alworkbench.project.session import Session


def other_pictures(session: Session, named: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Of pairs (path, content hash) of images of the project, the paths that hold another picture now.

    Paths are compared as the project stores them. The check is the cheap one of `image_files`.
    """
    pairs = [(path, content) for path, content in dict.fromkeys(named) if content]
    if not pairs or not session.has_files:
        return ()
    with session.store.read() as reader:
        content_at = {file.path: file.hash for file in reader.images.files() if file.current}
    faults = file_faults(session, {content for _, content in pairs})
    changed = {each.hash for each in faults if each.fault is Fault.CHANGED}
    return tuple(
        path
        for path, content in pairs
        if content in changed or content_at.get(path, content) != content
    )
