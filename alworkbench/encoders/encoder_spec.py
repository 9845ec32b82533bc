"""What the name of an encoder stands for: an architecture that open_clip knows, and its weights.

The names are `bundled`, `ARCH:TAG`, `ARCH:path` and `config.json:path`.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import open_clip

from alworkbench.core.assets import BUNDLED, BUNDLED_NAME
from alworkbench.core.errors import UnknownEncoder, did_you_mean
from alworkbench.core.reasons import why_unreadable

PREPROCESSING_FILE = "open_clip_config.json"
MAX_CONFIG_BYTES = 1 << 20

HOW_TO_NAME = (
    "An encoder is `bundled`, ARCH:TAG (such as ViT-B-32:laion2b_s34b_b79k), ARCH:path/to/weights, "
    "or path/to/config.json:path/to/weights."
)


def resolve(spec: str) -> tuple[str, str]:
    """The registered name of the architecture, and a published tag or the path of a weights file.

    Raises UnknownEncoder.
    """
    if spec == "bundled":
        name = _register(BUNDLED / f"{BUNDLED_NAME}.json", BUNDLED_NAME)
        return name, str(BUNDLED / f"{BUNDLED_NAME}.safetensors")
    if spec.startswith("features:"):
        raise UnknownEncoder(
            f"{spec} stands for features from a file, so there is no model that can encode new "
            f"images. Encode them where the file was made, and add them with `--features FILE`."
        )
    if ".json:" in spec:
        config, _, weights = spec.partition(".json:")
        architecture = _register(Path(f"{config}.json"))
    else:
        architecture, colon, weights = spec.partition(":")
        if not colon or not weights:
            known = ["bundled", *open_clip.list_models()]
            raise UnknownEncoder(
                f"{spec!r} is not the name of an encoder.{did_you_mean(architecture, known)} {HOW_TO_NAME}"
            )
        if architecture not in open_clip.list_models():
            raise UnknownEncoder(
                f"open_clip has no architecture {architecture!r}."
                f"{did_you_mean(architecture, open_clip.list_models())} {HOW_TO_NAME}"
            )
    if open_clip.get_pretrained_cfg(architecture, weights) or Path(weights).is_file():
        return architecture, weights
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    raise UnknownEncoder(
        f"{weights!r} is neither a published tag of {architecture} nor a file."
        f"{did_you_mean(weights, tags)} Its published tags are {', '.join(tags) or 'none'}."
    )


def _register(path: Path, name: str | None = None) -> str:
    """Register an architecture of the user with open_clip; returns its registered name.

    The file is one of open_clip's model configs, or an `open_clip_config.json` that holds one as
    `model_cfg`. The name contains a hash of the content, so that it is unique.
    """
    config = read_json(path)
    config = config.get("model_cfg", config)
    needed = {"embed_dim": int, "vision_cfg": dict, "text_cfg": dict}
    if not isinstance(config, dict) or any(
        not isinstance(config.get(key), kind) for key, kind in needed.items()
    ):
        raise UnknownEncoder(
            f"{path} is not a configuration of an open_clip model: it needs "
            f"embed_dim (a number), vision_cfg and text_cfg (objects), as in "
            f"`open_clip.get_model_config('ViT-B-32')`."
        )
    text = json.dumps(config, sort_keys=True)
    stem = path.parent.resolve().name if path.name == PREPROCESSING_FILE else path.stem
    name = name or f"{stem}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    if name not in open_clip.list_models():
        # open_clip registers a file under its own name, and reads it immediately.
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"{name}.json"
            copy.write_text(text, encoding="utf-8")
            open_clip.add_model_config(copy)
    return name


def read_json(path: Path) -> dict[str, Any]:
    """The object in a configuration file. Raises UnknownEncoder."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_CONFIG_BYTES + 1)
        if len(text) > MAX_CONFIG_BYTES:
            raise ValueError(f"it is larger than {MAX_CONFIG_BYTES} bytes")
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise UnknownEncoder(
            f"The model configuration {path} cannot be read ({why_unreadable(error)}). {HOW_TO_NAME}"
        ) from error
    return values
