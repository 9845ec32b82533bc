"""Features of a project put under an address, for other people and machines to take.

    encoder.json, head.safetensors       as in the project
    prompts-<SHA-256>.safetensors        the prompts of one call; a later call with more of them adds a file
    00000/, 00001/, ...                  the shards, `DONE.json` last: a shard without it does not exist

Nothing is ever overwritten. A call that was interrupted is made again and goes on; features that a project
got since are further shards.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from alworkbench.core.errors import (
    AlreadyPublished,
    EncoderMismatch,
    FeaturesMissing,
    InvalidFeatureFile,
)
from alworkbench.core.progress import Progress, silent
from alworkbench.features.object_store import ObjectStore
from alworkbench.features.shard import DONE, finished_shards, verify_shard
from alworkbench.features.store import FeatureStore


@dataclass(frozen=True, slots=True)
class Published:
    """What `publish` did."""

    address: str
    written: int
    """Shards that were written now."""
    known: int
    """Shards that were there already, with the same content."""


def publish(features: FeatureStore, target: ObjectStore, progress: Progress = silent) -> Published:
    """Write all shards that are not there, each checked first.

    Raises EncoderMismatch where features of another encoder are there, AlreadyPublished where a shard of
    another content has the number of one of these, InvalidFeatureFile for a damaged shard of the project,
    StoreUnreachable.
    """
    record, shards = features.encoder(), finished_shards(features.folder)
    if not shards:
        raise FeaturesMissing(0, 0)
    features.read_head()  # a damaged one is not published
    there = target.read("encoder.json")
    if there is None:
        target.put_new("encoder.json", features.folder / "encoder.json")
    elif (other := _encoder_id(there, target)) != record.id:
        raise EncoderMismatch(target.address, other, record.id)
    target.put_new("head.safetensors", features.folder / "head.safetensors")
    prompts = features.folder / "prompts.safetensors"
    if prompts.exists():
        data = prompts.read_bytes()  # once: the file is replaced when prompts are added
        target.put_new(f"prompts-{hashlib.sha256(data).hexdigest()}.safetensors", data)
    written = 0
    for number, shard in enumerate(shards):
        progress("publishing features", number, len(shards))
        done = (shard / DONE).read_bytes()
        known = target.read(f"{shard.name}/{DONE}")
        if known is None:
            if not verify_shard(shard):
                raise InvalidFeatureFile(
                    f"The features in {shard} are of an older version, without SHA-256. Delete that folder "
                    "and run `alworkbench encode`: it encodes the images of this shard again."
                )
            for name in json.loads(done)["bytes"]:
                target.put_new(f"{shard.name}/{name}", shard / name)
            written += target.put_new(f"{shard.name}/{DONE}", shard / DONE)
        elif known != done:
            raise AlreadyPublished(f"{target.address}/{shard.name}")
    progress("publishing features", len(shards), len(shards))
    return Published(target.address, written, len(shards) - written)


def _encoder_id(description: bytes, target: ObjectStore) -> str:
    try:
        return str(json.loads(description)["id"])
    except (ValueError, KeyError, TypeError):
        raise AlreadyPublished(f"{target.address}/encoder.json") from None
