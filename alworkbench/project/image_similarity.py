"""How similar images are to a text or to other images: cosines of embeddings, exact, over all features.

Dimensions used in this file
    N  images of the feature table
    B  images of a block
    D  embedding size
    M  images whose like is searched for
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from alworkbench.project.artifacts import refuse_file
from alworkbench.project.image_facts import keys_of
from alworkbench.project.session import Session

if TYPE_CHECKING:
    from alworkbench.encoders.head import Head
    from alworkbench.features.table import FeatureTable

BLOCK = 8192
_KEPT_NUMBERS = 1 << 28
"""Numbers of embeddings that are kept in memory, at two bytes each: half a GiB. Of more images they are
computed again for each search."""
_SEARCHES = 8
"""Searches whose cosines are kept, so that their further pages cost nothing."""
INSTEAD = (
    "Search by an image instead (its like), or make the project with a model that reads texts "
    "(`alworkbench models` lists them)."
)


def unit_embeddings(
    table: FeatureTable, head: Head, rows: Int[Tensor, "N"] | None = None, block: int = BLOCK
) -> Iterator[Float[Tensor, "B D"]]:
    """Image embeddings of unit length by the model before any label, block by block, on the CPU."""
    device = head.image_projection.device
    for _, features in table.blocks(rows, block, device):
        yield normalize(head.embed_images(features), dim=-1).cpu()


class Similarity:
    """Searches the features of one project. Threads share it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._kept: tuple[tuple[str, int], list[Tensor]] | None = None
        self._keys: tuple[tuple[str, int], np.ndarray, np.ndarray] | None = None
        """Keys of the rows, sorted, and where they stand."""
        self._found: OrderedDict[tuple[object, ...], Float[np.ndarray, "N"]] = OrderedDict()

    def refuse_texts(self) -> None:
        """Raises UnknownEncoder where no model can read a text: the features came from a file."""
        refuse_file(self._session.encoder_record(), "a text", INSTEAD)

    def to_text(self, text: str) -> Float[np.ndarray, "N"]:
        """Cosine of each row of the features with a text. Raises UnknownEncoder, EncoderMismatch."""
        encoder = self._session.text_encoder("a text", INSTEAD)

        def direction() -> Tensor:
            activations = encoder.encode_prompts([text]).to(self._session.engine().device)
            return self._session.engine().head.embed_texts(activations.float())[0]

        return self._cosines(("text", text), direction)

    def to_images(self, hashes: Sequence[str]) -> Float[np.ndarray, "N"]:
        """Cosine of each row with the mean direction of these images. Raises FeaturesMissing."""
        engine = self._session.engine()
        rows = engine.table().rows_of(list(hashes))

        def direction() -> Tensor:
            features = engine.table().gather(rows, engine.device)
            return normalize(engine.head.embed_images(features), dim=-1).mean(dim=0)

        return self._cosines(("images", *hashes), direction)

    def rows(self, keys: Int[np.ndarray, "M"]) -> Int[np.ndarray, "M"]:
        """The row of each image (its `image_facts.key_of`), -1 for one without features."""
        engine = self._session.engine()
        table = engine.table()
        if not len(table):
            return np.full(len(keys), -1, np.int64)
        with self._lock:
            known = (engine.encoder_id, len(table))
            if self._keys is None or self._keys[0] != known:
                own = keys_of(table.names)
                order = np.argsort(own, kind="stable")
                self._keys = (known, own[order], order)
        _, own, order = self._keys
        at = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        return np.where(own[at] == keys, order[at], -1)

    def _cosines(
        self, what: tuple[object, ...], direction: Callable[[], Tensor]
    ) -> Float[np.ndarray, "N"]:
        engine = self._session.engine()
        table = engine.table()
        key = (engine.encoder_id, len(table), *what)
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
            wanted = normalize(direction(), dim=-1).cpu().float()
            # One array for all: a small result of each block would keep the memory of large ones apart.
            found, start = np.zeros(len(table), np.float32), 0
            for block in self._embeddings(engine.encoder_id, table):
                cosines = (block.float() @ wanted).clamp(-1, 1)
                found[start : start + len(block)] = cosines.numpy()
                start += len(block)
            self._found[key] = found
            while len(self._found) > _SEARCHES:
                self._found.popitem(last=False)
            return found

    def _embeddings(self, encoder_id: str, table: FeatureTable) -> Iterator[Tensor]:
        head = self._session.engine().head
        if len(table) * head.image_projection.shape[0] > _KEPT_NUMBERS:
            yield from unit_embeddings(table, head)
            return
        key = (encoder_id, len(table))
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, [block.half() for block in unit_embeddings(table, head)])
        yield from self._kept[1]
