"""Safetensors files that carry the SHA-256 of their content, so that a damaged file is found on reading.

The format has no checksum: a bit that a disk loses gives another number, and nothing says so. The digest is
over the header (names, types, shapes and metadata, without the digest) and over all numbers. It stands in
the metadata, so that the file stays an ordinary safetensors file. It finds damage, not forgery.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

SEAL = "sha256"
"""Key of the digest in the metadata."""


def sealed(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file with these tensors and metadata, and with its digest."""
    named = dict(tensors)
    digest, _ = _digests(save(named, dict(metadata)))
    data: bytes = save(named, {**metadata, SEAL: digest})
    return data


def check_seal(path: Path) -> bool:
    """Whether the file carries a digest; False for a file of a version that wrote none.

    The whole file is read. Raises ValueError if its content does not have the digest that it carries, or
    its header cannot be read, and OSError if there is no such file.
    """
    found, promised = _digests(path.read_bytes())
    if promised is not None and found != promised:
        raise ValueError("its content has changed since it was written: its SHA-256 is another")
    return promised is not None


def _digests(data: bytes) -> tuple[str, str | None]:
    """The digest of the content, and the digest that the file carries."""
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
        promised = header.get("__metadata__", {}).pop(SEAL, None)
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"its header cannot be read ({error})") from error
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    digest.update(memoryview(data)[8 + size :])
    return digest.hexdigest(), promised
