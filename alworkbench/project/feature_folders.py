"""Features taken from a features folder: another project's, or one that was published.

Shard after shard is checked and the rows of images of the project are copied, so that the memory does not
grow with the folder: only the hashes of the images that were copied are kept. An interrupted call goes on:
shards of which the project has every row are not read. A row that cannot be computed with is looked at again
each time, since another folder may hold a sound one; it is recorded once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from alworkbench.core.domain import EncoderRecord, QuarantineCode
from alworkbench.core.errors import EncoderMismatch, NothingToImport
from alworkbench.core.progress import Progress, silent
from alworkbench.features.entry import Entry
from alworkbench.features.feature_folder import FeatureFolder
from alworkbench.features.feature_rows import DTYPES
from alworkbench.features.prompts import encode_missing
from alworkbench.features.shard import Shard
from alworkbench.features.store import FeatureStore
from alworkbench.features.usable_rows import UnusableRow, reasons_against
from alworkbench.features.writer import FeatureWriter, ShardBudget
from alworkbench.project.artifacts import FeaturesSummary, load_project_encoder
from alworkbench.project.session import Session

BLOCK = 8192
"""Rows that are looked at and copied at once."""
INSTEAD = (
    "Take the features from a project that has the same class names and prompt templates, or give this "
    "project the names and templates of that one."
)


def look_into(
    session: Session, folder: FeatureFolder, progress: Progress = silent
) -> tuple[int, int]:
    """The rows of the folder, and how many are of images of the project. Nothing is stored.

    Raises InvalidFeatureFile.
    """
    found, seen, count = 0, 0, folder.rows()
    for _, inputs in folder.inputs():
        given = _named(inputs)
        with session.store.read() as reader:
            found += len(reader.images.known(given))
        seen += len(given)
        progress("matching features with images", seen, count)
    return count, found


def take_folder(
    session: Session, folder: FeatureFolder, progress: Progress = silent
) -> FeaturesSummary:
    """Copy the features of the project's images, which are matched by content hash.

    A row that cannot be computed with, and an image that the encoder of the folder refused, get no features;
    the summary names such rows. Prompts that the folder lacks are encoded by its model. Raises
    InvalidFeatureFile for a damaged folder, EncoderMismatch where the project has features of another
    encoder, UnknownEncoder where no model can encode the missing prompts, and NothingToImport where no
    image of the folder is in the project. What was copied before an error stays.
    """
    started = time.perf_counter()
    record, head = folder.encoder(), folder.head()
    with session.store.read() as reader:
        known = reader.computed.encoder()
        classes = reader.classes.current()
    if known is not None and known.id != record.id:
        raise EncoderMismatch("The project's features", known.id, record.id)
    features = FeatureStore(session.folder.features / record.id)
    features.describe(record, head, {"folder": folder.name})
    features.add_prompts(*folder.prompts(features.read_head()))
    _encode_prompts(session, features, record, [p for c in classes.classes for p in c.prompts])
    taking, count, seen = _Taking(folder, features), folder.rows(), 0
    copied, unusable, here = 0, list[UnusableRow](), 0
    for name, inputs in folder.inputs():
        with session.store.read() as reader:
            known_here = reader.images.known(inputs["hash"].to_pylist())
        new, wrong = taking.take(name, inputs, known_here)
        unusable += wrong
        copied += new - len(wrong)
        here += len(known_here)
        seen += len(inputs) - inputs["row"].null_count
        progress("taking features", seen, count)
    if not here:
        raise NothingToImport(
            f"None of the {count} images of {folder.name} is in this project. Import them first "
            f"(`alworkbench import FOLDER`); images are matched by content hash."
        )
    with session.store.write() as writer:
        writer.computed.set_encoder(record)
    table = features.open_table()
    return FeaturesSummary(
        record.id,
        copied,
        len(table) - copied,
        len(table.quarantined()),
        time.perf_counter() - started,
        tuple(unusable),
    )


def _encode_prompts(
    session: Session, features: FeatureStore, record: EncoderRecord, prompts: Sequence[str]
) -> None:
    """Encode the prompts of the class list that the folder lacks."""
    if missing := features.missing_prompts(prompts):
        encoder = load_project_encoder(
            record, session.device, f"the prompt {missing[0]!r}", INSTEAD
        )
        encode_missing(features, encoder, missing)


def _named(inputs: pa.Table) -> list[str]:
    """The content hashes of the inputs that have a row, in the order of the rows."""
    rows = inputs.filter(pc.is_valid(inputs["row"])).sort_by("row")
    return cast(list[str], rows["hash"].to_pylist())


def _refusal(given: dict[str, Any], reason: str) -> Entry:
    return Entry(**{**given, "code": QuarantineCode.NONFINITE, "detail": reason})


class _Taking:
    """Copies of a folder what the project does not have, each image once."""

    def __init__(self, folder: FeatureFolder, features: FeatureStore) -> None:
        self._folder, self._features = folder, features
        self._head = features.read_head()
        self._before = features.open_table()
        self._widths = self._before.widths
        self._taken: set[str] = set()
        """Images that got a row now."""
        self._refused = set(self._before.quarantined())
        """Images with a reason; some may have got a row since."""

    def take(
        self, name: str, inputs: pa.Table, known: Collection[str]
    ) -> tuple[int, list[UnusableRow]]:
        """Copy a shard's rows of these images of the project, and reasons of those that were refused.

        Returns the number of rows that were looked at, and those of them that cannot be computed with; they
        are recorded as refused, too. Raises InvalidFeatureFile.
        """
        rows = self._without_row([each for each in _named(inputs) if each in known])
        refused = self._newly_refused(inputs, known)
        if not rows and not refused:
            return 0, []
        shard = self._opened(name) if rows else None
        kind = torch.float16 if shard is None else DTYPES[shard.activations.dtype]
        # A shard of the folder becomes one of the project: an interrupted call loses at most one.
        with self._features.writer(dtype=kind, budget=ShardBudget(seconds=math.inf)) as writer:
            if refused:
                writer.add(refused, None)
                self._refused.update(each.hash for each in refused)
            found = [] if shard is None else self._copy(shard, inputs, rows, writer)
        return len(rows), found

    def _opened(self, name: str) -> Shard:
        before = None if self._widths is None else self._widths[1] is not None
        shard = self._folder.opened(name, self._head, before)
        self._widths = shard.widths
        return shard

    def _copy(
        self, shard: Shard, inputs: pa.Table, wanted: Collection[str], writer: FeatureWriter
    ) -> list[UnusableRow]:
        found: list[UnusableRow] = []
        entries = inputs.filter(pc.is_valid(inputs["row"])).sort_by("row")
        entries = entries.drop_columns(["row", "code"])
        names, at = np.unique(np.asarray(entries["hash"].to_pylist()), return_index=True)
        chosen = np.sort(at[np.isin(names, list(wanted))])  # of rows of one image, the first
        done = 0
        for block in self._folder.blocks(shard, chosen, BLOCK):
            part = chosen[done : done + len(block)]
            done += len(block)
            given = entries.take(pa.array(part)).to_pylist()
            wrong = reasons_against(block, self._head.embed_images)
            found += [
                UnusableRow(shard.name, int(part[k]), why, given[k]["path"], given[k]["hash"])
                for k, why in wrong.items()
            ]
            kept = [k for k in range(len(part)) if k not in wrong]
            bad = [k for k in wrong if given[k]["hash"] not in self._refused]
            writer.add(
                [
                    *(Entry(**given[k]) for k in kept),
                    *(_refusal(given[k], wrong[k]) for k in bad),
                ],
                block[torch.tensor(kept)] if kept else None,
            )
            self._taken.update(given[k]["hash"] for k in kept)
            self._refused.update(given[k]["hash"] for k in bad)
        return found

    def _newly_refused(self, inputs: pa.Table, known: Collection[str]) -> list[Entry]:
        """Of the inputs that the folder's encoder refused, those that have neither a row nor a reason."""
        given = inputs.filter(pc.is_valid(inputs["code"])).drop_columns(["row"]).to_pylist()
        wanted = {
            each["hash"]: Entry(**{**each, "code": QuarantineCode(each["code"])})
            for each in given
            if each["hash"] in known and each["hash"] not in self._refused
        }
        return [wanted[each] for each in self._without_row(list(wanted))]

    def _without_row(self, hashes: list[str]) -> list[str]:
        """Those of the hashes that have no row, neither from before nor from now; each once."""
        has = zip(hashes, self._before.has(hashes), strict=True)
        return list(dict.fromkeys(h for h, old in has if not old and h not in self._taken))
