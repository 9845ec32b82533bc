"""All images compared with each other: the most similar other image of each, and clusters; stored.

Clusters are those of MiniBatchKMeans (Sculley 2010, doi:10.1145/1772690.1772862) on image embeddings of unit
length.

Dimensions used in this file
    N  images that have features
    M  images asked for
    D  embedding size
    R  directions of activations that vary (`most_similar`)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from alworkbench.core.domain import JobKind, ProjectFolder
from alworkbench.core.progress import Progress, silent
from alworkbench.project.gallery_files import GalleryFile, newest_file, write_next
from alworkbench.project.session import Session

if TYPE_CHECKING:
    import torch

    from alworkbench.encoders.head import Head
    from alworkbench.engines.engine import Engine
    from alworkbench.features.table import FeatureTable

KIND = "groups"
COLUMNS = ("key", "near", "nearest", "cluster", "central")
MOST_CLUSTERS = 200
_SAMPLE = 50_000
"""Images that the centres of clusters are fitted to; the others join the nearest centre."""
_BLOCK = 4096


@dataclass
class ImageGroups:
    """A stored comparison. Columns are read when they are first needed."""

    file: GalleryFile
    _columns: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def number(self) -> int:
        """That of its file."""
        return self.file.number

    @property
    def facts(self) -> dict[str, Any]:
        """What is said of it."""
        return self.file.facts

    @property
    def images(self) -> int:
        """How many images were compared."""
        return int(self.facts["images"])

    @property
    def clusters(self) -> int:
        """How many clusters there are; they are numbered from 1, the largest first."""
        return int(self.facts["clusters"])

    def rows(self, keys: Int[np.ndarray, "M"]) -> Int[np.ndarray, "M"]:
        """Of images by their keys (`key_of`): the row of each, -1 for one that was not compared."""
        known = self.column("key")
        at = np.searchsorted(known, keys)
        there = at < len(known)
        there[there] = known[at[there]] == keys[there]
        return np.where(there, at, -1)

    def column(self, name: str) -> np.ndarray:
        """`near` (cosine with the most similar image), `nearest` (its key), `cluster`, `central` (cosine with
        the centre of the cluster)."""
        if name not in self._columns:
            self._columns[name] = self.file.column(name)
        return self._columns[name]


def stored_groups(
    folder: ProjectFolder, encoder_id: str, number: int | None = None
) -> ImageGroups | None:
    """The newest comparison by this encoder, or the one with this number; None where there is none."""
    found = newest_file(
        folder, KIND, COLUMNS, lambda facts: facts.get("encoder") == encoder_id, number
    )
    return None if found is None else ImageGroups(found)


def group_images(
    session: Session,
    progress: Progress = silent,
    *,
    clusters: int | None = None,
    engine: Engine | None = None,
) -> ImageGroups:
    """Compare all images with each other, and store it.

    `clusters` is their number; None: the square root of half the images, at most MOST_CLUSTERS. Takes N^2 R
    operations, which an `engine` does. Raises FeaturesMissing, JobRuns, JobCancelled and EngineError.
    """
    from alworkbench.project.encoded_images import encoded_images
    from alworkbench.project.most_similar import most_similar

    with session.jobs.claim(JobKind.GROUP, lambda: "compare all images", progress) as told:
        project = session.engine()
        table = project.table()
        with session.store.read() as reader:
            keys, rows = encoded_images(reader, table)
        near, nearest = most_similar(table, rows, told, engine)
        count = min(clusters or usual_clusters(len(rows)), max(1, len(rows)))
        cluster, central = clustered(
            table, project.head, rows, count, session.settings().seed, told
        )
        columns = {
            "key": keys,
            "near": near,
            "nearest": keys[nearest] if len(keys) else keys,
            "cluster": cluster,
            "central": central,
        }
        facts = {
            "encoder": project.encoder_id,
            "images": len(rows),
            "clusters": int(cluster.max()) if len(rows) else 0,
            "made_at": session.now().isoformat(),
        }
        told("storing", 0, 1)  # the last moment at which it can be stopped
        return ImageGroups(write_next(session.folder, KIND, columns, facts))


def usual_clusters(images: int) -> int:
    """The square root of half the images, between 2 and MOST_CLUSTERS."""
    return max(2, min(MOST_CLUSTERS, round((images / 2) ** 0.5)))


def clustered(
    table: FeatureTable,
    head: Head,
    rows: Int[torch.Tensor, "N"],
    clusters: int,
    seed: int,
    progress: Progress = silent,
) -> tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """The cluster of each image, from 1, the largest first; and the cosine with its centre."""
    from sklearn.cluster import MiniBatchKMeans

    from alworkbench.project.image_similarity import unit_embeddings
    from alworkbench.project.session import some_of

    if not len(rows):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    import torch

    sample = torch.tensor(some_of(list(range(len(rows))), _SAMPLE, seed))
    fitted = np.concatenate(
        [block.numpy() for block in unit_embeddings(table, head, rows[sample], _BLOCK)]
    )
    progress("finding clusters", 0, len(rows))
    model = MiniBatchKMeans(clusters, random_state=seed, n_init=1, batch_size=_BLOCK).fit(fitted)
    centres = model.cluster_centers_
    centres = centres / np.linalg.norm(centres, axis=1, keepdims=True).clip(1e-12)
    label, central, done = [], [], 0
    for block in unit_embeddings(table, head, rows, _BLOCK):
        plain = block.numpy()
        own = model.predict(plain)
        label.append(own)
        central.append((plain * centres[own]).sum(axis=1))
        done += len(plain)
        progress("finding clusters", done, len(rows))
    found = np.concatenate(label)
    sizes = np.bincount(found, minlength=clusters)
    order = np.argsort(-sizes, kind="stable")
    number = np.empty(clusters, np.int64)
    number[order] = np.arange(1, clusters + 1)
    return number[found], np.concatenate(central).astype(np.float32)
