"""Which rows of a features file are of images that a project has."""

from __future__ import annotations

from alworkbench.core.progress import Progress
from alworkbench.core.repositories import Images
from alworkbench.features.feature_file import FeatureFile


def matched_rows(file: FeatureFile, images: Images, progress: Progress) -> dict[int, str]:
    """Row of a features file -> content hash, of the images that the project has."""
    count = len(file.features)
    if file.hashes is not None:
        known = images.known(file.hashes)
        progress("matching features with images", count, count)
        return {row: content for row, content in enumerate(file.hashes) if content in known}
    found = {}
    for row in range(count):
        path = None if file.paths is None else file.paths[row]
        if (content := content_of(images, path, None)) is not None:
            found[row] = content
        progress("matching features with images", row + 1, count)
    return found


def content_of(images: Images, path: str | None, content_hash: str | None) -> str | None:
    """Content hash of the project's image that a features file names, by hash where it gives one."""
    if content_hash is not None:
        found = images.by_hash(content_hash)
    else:
        found = None if path is None else images.by_path(path)
    return None if found is None else found.hash
