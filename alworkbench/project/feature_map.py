"""Where each image lies on a map of the features: images that the model sees alike lie close together.

Two layouts of the image embeddings of unit length, by the model before any label:

    pca     the two directions in which they vary most; straight, fast, and the same for every project
    umap    UMAP (McInnes et al. 2018, arXiv:1802.03426), which keeps neighbours together; optional package

A layout is kept in `gallery/` (see `gallery_files`) with the encoder that it belongs to, and left aside where
another one is used. On the layout `pca`, images that get features later lie where the same axes put them; the
axes are computed again once there are twice as many images. On the layout `umap`, later images have no place
before it is computed again.

Dimensions used in this file
    N  images that have features
    D  embedding size
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.domain import JobKind, Role
from alworkbench.core.errors import FeaturesMissing, MapNotComputed
from alworkbench.core.progress import Progress, silent
from alworkbench.features.principal_axes import PrincipalAxes
from alworkbench.inputs.formula_guard import harmless
from alworkbench.project.encoded_images import encoded_images
from alworkbench.project.gallery_files import GalleryFile, newest_file, write_next
from alworkbench.project.image_columns import find_keys
from alworkbench.project.image_facts import key_of
from alworkbench.project.image_similarity import BLOCK, unit_embeddings
from alworkbench.project.session import Session

GROWTH = 2
"""The principal axes are computed again where there are so many times the images that they come from."""
UMAP_TITLE = "lay out the map"
"""Of the job that computes this layout."""
COLUMNS = ("path", "hash", "x", "y")


class Layout(StrEnum):
    """How the images are laid out."""

    PCA = "pca"
    UMAP = "umap"


@dataclass(frozen=True, slots=True)
class MapPositions:
    """Where the images lie."""

    layout: Layout
    number: int
    """Of the stored layout."""
    keys: Int[np.ndarray, "N"]
    """`key_of` each image that has a place, increasing."""
    xy: Float[np.ndarray, "N 2"]
    fitted: int
    """Images that the layout was fitted to; the others were placed by it."""
    shares: tuple[float, float] | None
    """Share of the variance along both axes; None for a layout without axes."""
    newer: int
    """Images that have features and no place, because they came later."""


_STORED = {Layout.PCA: ("key", "xy", "mean", "axes", "shares"), Layout.UMAP: ("key", "xy")}
"""The columns of the file of each layout."""


class FeatureMap:
    """The map of one project. Threads share it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._kept: dict[Layout, tuple[tuple[object, ...], MapPositions]] = {}

    def positions(self, layout: Layout = Layout.PCA, progress: Progress = silent) -> MapPositions:
        """The places of all images; principal axes are computed where there are none yet.

        Raises FeaturesMissing, and MapNotComputed for UMAP before `compute`.
        """
        engine = self._session.engine()
        table = engine.table()
        with self._lock:
            with self._session.store.read() as reader:
                mark = (engine.encoder_id, len(table), reader.images.mark())
                stored = self._newest(layout)
                known = self._kept.get(layout)
                if known is not None and known[0] == (mark, stored and stored.number):
                    return known[1]
            if layout is Layout.UMAP and stored is None:
                raise MapNotComputed(layout.value)
            keys, rows = self._encoded()
            if stored is not None and layout is Layout.UMAP:
                found = self._stored_umap(stored, keys)
            else:
                found = self._pca(stored, keys, rows, progress)
            self._kept[layout] = ((mark, found.number), found)
        return found

    def compute(self, layout: Layout, progress: Progress = silent) -> MapPositions:
        """Compute a layout anew, and store it. UMAP is a recorded job of the kind `group`.

        Raises FeaturesMissing, and for UMAP MapTooSmall, ExtraMissing without the package, JobRuns and
        JobCancelled.
        """
        if layout is Layout.PCA:
            self._write_pca(*self._encoded(), progress)
            return self.positions(layout, progress)
        from alworkbench.project.umap_layout import refuse_without_package, umap_layout

        refuse_without_package()
        with self._session.jobs.claim(JobKind.GROUP, lambda: UMAP_TITLE, progress) as told:
            keys, rows = self._encoded()
            xy, fitted = umap_layout(
                lambda some, step: self._embeddings(
                    rows if some is None else rows[some], step, told
                ),
                len(rows),
                self._session.settings().seed,
                told,
            )
            told("storing", 0, 1)  # the last moment at which it can be stopped
            self._write(layout, {"key": keys, "xy": xy}, {"fitted": fitted})
        return self.positions(layout)

    def has(self, layout: Layout) -> bool:
        """Whether this layout is stored for the encoder in use. Raises FeaturesMissing before encoding."""
        return self._newest(layout) is not None

    def write(self, path: Path, layout: Layout, progress: Progress = silent) -> int:
        """Write the map as CSV with COLUMNS; returns how many images it has. Raises what `positions` does."""
        found = self.positions(layout, progress)
        place = dict(zip(found.keys.tolist(), found.xy.tolist(), strict=True))
        with self._session.store.read() as reader:
            images = [each for role in Role for each in reader.images.hashes_and_paths(role)]
        path.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with (
            atomic_path(path) as draft,
            draft.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for content, where in images:
                if (at := place.get(key_of(content))) is not None:
                    writer.writerow([harmless(where), content, f"{at[0]:.6g}", f"{at[1]:.6g}"])
                    written += 1
        return written

    # --------------------------------------------------------------------------------------- layouts
    def _encoded(self) -> tuple[Int[np.ndarray, "N"], Int[torch.Tensor, "N"]]:
        table = self._session.engine().table()
        with self._session.store.read() as reader:
            keys, rows = encoded_images(reader, table)
            images = sum(reader.images.count(role) for role in Role)
        if not len(keys):
            raise FeaturesMissing(images, images)
        return keys, rows

    def _embeddings(
        self, rows: Int[torch.Tensor, "N"], step: str, progress: Progress
    ) -> Iterator[Float[np.ndarray, "B D"]]:
        engine, done = self._session.engine(), 0
        for block in unit_embeddings(engine.table(), engine.head, rows, BLOCK):
            yield block.float().numpy()
            done += len(block)
            progress(step, done, len(rows))

    def _pca(
        self,
        stored: GalleryFile | None,
        keys: Int[np.ndarray, "N"],
        rows: Int[torch.Tensor, "N"],
        progress: Progress,
    ) -> MapPositions:
        if stored is None or len(keys) > GROWTH * stored.facts["fitted"]:
            stored = self._write_pca(keys, rows, progress)
        known, placed, mean, directions, shares_ = map(stored.column, _STORED[Layout.PCA])
        axes = PrincipalAxes(mean, directions, shares_)
        at, there = find_keys(known, keys)
        xy = np.zeros((len(keys), 2), np.float32)
        xy[there] = placed[at[there]]
        later = np.flatnonzero(~there)
        if len(later):
            blocks = self._embeddings(rows[torch.from_numpy(later)], "placing images", progress)
            xy[later] = np.concatenate([axes.project(block) for block in blocks])
        fitted = int(stored.facts["fitted"])
        shares = (float(axes.shares[0]), float(axes.shares[1]))
        return MapPositions(Layout.PCA, stored.number, keys, xy, fitted, shares, newer=0)

    def _write_pca(
        self, keys: Int[np.ndarray, "N"], rows: Int[torch.Tensor, "N"], progress: Progress
    ) -> GalleryFile:
        axes = PrincipalAxes.of(self._embeddings(rows, "finding the axes", progress), 2)
        blocks = self._embeddings(rows, "placing images", progress)
        xy = np.concatenate([axes.project(block) for block in blocks])
        columns = {
            "key": keys, "xy": xy, "mean": axes.mean, "axes": axes.axes, "shares": axes.shares,
        }  # fmt: skip
        return self._write(Layout.PCA, columns, {"fitted": len(keys)})

    def _stored_umap(self, stored: GalleryFile, keys: Int[np.ndarray, "N"]) -> MapPositions:
        known, placed = map(stored.column, _STORED[Layout.UMAP])
        fitted = int(stored.facts["fitted"])
        at, there = find_keys(known, keys)
        newer = int((~there).sum())
        xy = placed[at[there]].astype(np.float32)
        return MapPositions(Layout.UMAP, stored.number, keys[there], xy, fitted, None, newer)

    # ----------------------------------------------------------------------------------------- files
    def _newest(self, layout: Layout) -> GalleryFile | None:
        """The newest file by the encoder in use."""
        encoder = self._session.engine().encoder_id
        return newest_file(
            self._session.folder,
            layout,
            _STORED[layout],
            lambda facts: facts.get("encoder") == encoder and "fitted" in facts,
        )

    def _write(
        self, layout: Layout, columns: dict[str, np.ndarray], facts: dict[str, Any]
    ) -> GalleryFile:
        facts |= {
            "encoder": self._session.engine().encoder_id,
            "made_at": self._session.now().isoformat(),
        }
        return write_next(self._session.folder, layout, columns, facts)
