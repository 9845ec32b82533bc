"""List which of open_clip's models this program supports, and why not the others, without weights.

Every architecture of open_clip is built on torch's meta device (shapes without numbers) and given to the
same functions that split a loaded model. Nothing is downloaded. Text towers of the Hugging Face hub
cannot be built this way, since even their shapes are on the hub. For them, the setting `hf_proj_type` of
the configuration decides: it names the layers that open_clip adds to the tower.

Dimensions used in this file
    P  image activation size    Q  text activation size    D  embedding size
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from alworkbench.core.errors import UnknownEncoder, UnsupportedModel, did_you_mean
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.head import Loss
from alworkbench.encoders.splitting import SplitTower, split_image_tower, split_text_tower

TRANSFORMERS = "transformers"
"""Package that reads tokenizers and text towers of the Hugging Face hub."""

WITHOUT_EFFECT: dict[str, frozenset[str]] = {
    "vision_cfg": frozenset({"image_size", "patch_dropout"}),
    "text_cfg": frozenset(
        {"context_length", "vocab_size", "hf_tokenizer_name", "tokenizer_kwargs", "tokenizer_mode"}
    ),
}
"""Settings that have no effect on the last linear layers."""

STAND_IN_TEXT = {"width": 8, "heads": 1, "layers": 1}
HUGGING_FACE_LAYERS = {"linear": "proj", "mlp": "proj.2"}


@dataclass(frozen=True, slots=True)
class Side:
    """One tower of an architecture: its kind, and its last linear layer if there is one."""

    tower: str
    layer: str = ""
    """Dotted name within the tower; empty if there is none."""
    size: int | None = None
    """P or Q, including the constant 1 of a bias; None if only the Hugging Face hub states it."""
    residual: bool = False
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class ModelSupport:
    """What is known about an architecture without its weights."""

    name: str
    image: Side
    text: Side
    embedding_size: int
    """D"""
    loss: Loss
    needs: str
    """An additional package that it requires; empty if none."""

    @property
    def why_not(self) -> str:
        """Reasons why it cannot be used; empty if it can."""
        return "; ".join(side.why_not for side in (self.image, self.text) if side.why_not)

    @property
    def supported(self) -> bool:
        """Whether it can be used."""
        return not self.why_not


def supported_models(
    names: Sequence[str] | None = None, progress: Progress = silent
) -> list[ModelSupport]:
    """Examine all architectures of open_clip, or those in `names`, in their order.

    It takes about 0.1 s for each distinct architecture. Architectures that differ only in settings
    without effect (image size, length of prompts, activation function) are examined once.
    """
    chosen = architectures() if names is None else list(names)
    known: dict[str, ModelSupport] = {}
    found = []
    for done, name in enumerate(chosen):
        progress("Looking at models", done, len(chosen))
        config = open_clip.get_model_config(name)
        key = json.dumps(_without_effect(config), sort_keys=True)
        if key not in known:
            known[key] = examine(name)
        found.append(replace(known[key], name=name, needs=_needs(name, config)))
    progress("Looking at models", len(chosen), len(chosen))
    return found


def architectures(part: str = "") -> list[str]:
    """The architectures of open_clip whose names contain `part`, in upper or lower case.

    Raises UnknownEncoder if there is none.
    """
    # The list also contains configurations that a user registered by loading them; leave them out.
    folder = Path(open_clip.__file__).parent / "model_configs"
    known = [name for name in open_clip.list_models() if (folder / f"{name}.json").is_file()]
    found = [name for name in known if part.lower() in name.lower()]
    if not found:
        raise UnknownEncoder(
            f"open_clip has no architecture with {part!r} in its name.{did_you_mean(part, known)} "
            f"`alworkbench models` lists all {len(known)}."
        )
    return found


def as_row(model: ModelSupport) -> dict[str, Any]:
    """The same as plain values, for JSON."""
    return {
        "model": model.name,
        "image_tower": model.image.tower,
        "image_layer": model.image.layer,
        "text_tower": model.text.tower,
        "text_layer": model.text.layer,
        "P": model.image.size,
        "D": model.embedding_size,
        "Q": model.text.size,
        "residual": model.image.residual,
        "loss": model.loss,
        "supported": model.supported,
        "why_not": model.why_not,
        "needs": model.needs,
    }


def examine(name: str) -> ModelSupport:
    """Examine one architecture: build it without weights and split it."""
    config = open_clip.get_model_config(name)
    model = build(name, torch.device("meta"))
    return ModelSupport(
        name=name,
        image=_side(_image_tower(model.visual), split_image_tower, model),
        text=_hugging_face(config["text_cfg"])
        if config["text_cfg"].get("hf_model_name")
        else _side("text transformer", split_text_tower, model),
        embedding_size=config["embed_dim"],
        loss="infonce" if getattr(model, "logit_bias", None) is None else "siglip",
        needs=_needs(name, config),
    )


def build(name: str, device: torch.device) -> Any:
    """Build an architecture without weights.

    A small text tower replaces one of the Hugging Face hub, whose shapes would have to be fetched.
    """
    config = open_clip.get_model_config(name)
    text = {"text_cfg": STAND_IN_TEXT} if config["text_cfg"].get("hf_model_name") else {}
    without_numbers = _NoInitialisation() if device.type == "meta" else nullcontext()
    with device, without_numbers, _quiet():
        return open_clip.create_model(
            name, load_weights=False, pretrained_text=False, device=device, **text
        )


# ------------------------------------------------------------------------------------------ inside


def _side(tower: str, split: Callable[[Any], SplitTower], model: Any) -> Side:
    try:
        found = split(model)
    except UnsupportedModel as error:
        return Side(tower, why_not=error.reason)
    return Side(tower, found.layer, found.projection.shape[1], found.residual)


def _image_tower(tower: Any) -> str:
    kind = type(tower).__name__
    if kind == "TimmModel":
        return f"{type(tower.trunk).__name__} of timm"
    if getattr(tower, "attn_pool", None) is not None:
        return f"{kind} with attention pool"
    return kind


def _hugging_face(config: dict[str, Any]) -> Side:
    tower = f"{config['hf_model_name']} of Hugging Face"
    projection = config.get("hf_proj_type", "mlp")  # open_clip's default
    layer = HUGGING_FACE_LAYERS.get(projection)
    if layer is None:
        return Side(tower, why_not=f"text tower: no projection (hf_proj_type is {projection!r})")
    return Side(tower, layer)


def _needs(name: str, config: dict[str, Any]) -> str:
    """open_clip uses a tokenizer of the hub if the configuration names one, and for all SigLIP models."""
    text = config["text_cfg"]
    from_hub = text.get("hf_model_name") or text.get("hf_tokenizer_name")
    return TRANSFORMERS if from_hub or "siglip" in name.lower() else ""


def _without_effect(config: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(config)
    kept.pop("quick_gelu", None)
    for part, settings in WITHOUT_EFFECT.items():
        kept[part] = {name: value for name, value in kept[part].items() if name not in settings}
    return kept


class _NoInitialisation(TorchFunctionMode):
    """Skips operations that only set numbers in place: the meta device has no numbers, and these
    operations take most of the time of building a large model."""

    DRAWING = frozenset({"normal_", "uniform_", "kaiming_uniform_"})
    SETTERS = DRAWING | {"constant_", "erfinv_", "mul_", "add_", "clamp_", "fill_", "zero_"}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        if func.__name__ in self.SETTERS and isinstance(target, Tensor) and target.is_meta:
            return target
        return func(*args, **kwargs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence open_clip's warnings that the model has no weights."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
