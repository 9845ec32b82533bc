"""Load an encoder by its name; `encoder_spec.py` says what a name stands for.

Every name takes the same path: open_clip's `create_model` builds the architecture with its weights, the
towers are split, the split is compared with the model's own embeddings, and the id is computed from the
content of the weights.

The preprocessing of published weights belongs to open_clip's tag. For a weights file it is read from
`preprocess_cfg` in an `open_clip_config.json` in the same folder: open_clip's own convention, which its
models on the Hugging Face hub follow. Without that file it is open_clip's default, the one of CLIP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from jaxtyping import Float
from open_clip.transformer import QuickGELU
from torch import Tensor

from alworkbench.core.errors import EncoderError, UnsupportedModel
from alworkbench.encoders.base import encoder_id
from alworkbench.encoders.encoder_spec import PREPROCESSING_FILE, read_json, resolve
from alworkbench.encoders.head import Features, Head
from alworkbench.encoders.preprocessing import Preprocess
from alworkbench.encoders.splitting import SplitTower, split_image_tower, split_text_tower

PROOF_PROMPTS = ("a photo of a cat.", "an image of two ankle boots.")
PROOF_TOLERANCE = 1e-4
"""Largest difference between a split and its model, relative to the largest embedding value."""


@dataclass(frozen=True, slots=True)
class OpenClipEncoder:
    """An `Encoder` made of two split towers of one open_clip model."""

    id: str
    spec: str
    head: Head
    preprocess: Preprocess
    image_tower: SplitTower
    text_tower: SplitTower
    tokenize: Any
    device: torch.device

    def encode_images(self, pixels: Float[Tensor, "B 3 H W"]) -> Features:
        """Activations (and residuals), float32. On CUDA the tower runs in mixed precision (products
        in float16), on other devices in float32."""
        mixed = self.device.type == "cuda"
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, dtype=torch.float16, enabled=mixed),
        ):
            return self.image_tower(pixels.to(self.device, torch.float32, non_blocking=True))

    def encode_prompts(self, prompts: Sequence[str], batch_size: int = 256) -> Float[Tensor, "T Q"]:
        """Activations, in float32 on every device: prompts are few, and every logit depends on them."""
        batches = [self.head.text_projection.new_empty(0, self.head.text_projection.shape[1])]
        with torch.inference_mode():
            for start in range(0, len(prompts), batch_size):
                tokens = self.tokenize(list(prompts[start : start + batch_size]))
                batches.append(self.text_tower(tokens.to(self.device)).activations)
        return torch.cat(batches)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A whole open_clip model in evaluation mode, for methods that need more than its two split towers."""

    id: str
    """Hash of weights, architecture and preprocessing: `Encoder.id` of the same spec."""
    model: Any
    tokenize: Any
    """From a list of texts to token ids, one row for each text."""
    preprocess: Preprocess


def load(spec: str, device: torch.device) -> OpenClipEncoder:
    """Load an encoder, as documented at `alworkbench.encoders.load_encoder`."""
    architecture, weights = resolve(spec)
    model, tokenize = _create(architecture, weights)
    return from_model(model, tokenize, architecture, spec, device)


def load_model(spec: str, device: torch.device) -> LoadedModel:
    """Load the whole model that `spec` names, in float32 on `device`.

    Takes the specs of `load_encoder`. Both towers of the model may end in any way. Raises UnknownEncoder if
    no such model or file is known, EncoderError if weights cannot be fetched, do not fit or are not finite.
    """
    architecture, weights = resolve(spec)
    found = _identified(*_create(architecture, weights), architecture, spec)
    found.model.to(device)
    return found


def from_model(
    model: Any, tokenize: Any, architecture: str, spec: str, device: torch.device
) -> OpenClipEncoder:
    """The encoder of an open_clip model in memory (float32, on the CPU).

    The model itself is put into evaluation mode and moved to the device; nothing else of it changes.
    Raises EncoderError for weights that are not finite, UnsupportedModel as `load_encoder` does.
    """
    found = _identified(model, tokenize, architecture, spec)
    _prove(model, split_image_tower(model), split_text_tower(model), tokenize, found.preprocess)

    model.to(device)
    image, text = split_image_tower(model), split_text_tower(model)
    bias = getattr(model, "logit_bias", None)
    head = Head(
        image_projection=image.projection,
        text_projection=text.projection,
        logit_scale=model.logit_scale.detach().exp().item(),
        logit_bias=0.0 if bias is None else bias.detach().item(),
        loss="infonce" if bias is None else "siglip",
    )
    return OpenClipEncoder(found.id, spec, head, found.preprocess, image, text, tokenize, device)


def _identified(model: Any, tokenize: Any, architecture: str, spec: str) -> LoadedModel:
    """The model in evaluation mode with its id. Raises EncoderError for weights that are not finite."""
    model.eval()
    preprocess = Preprocess.from_config(model.visual.preprocess_cfg)
    state = model.state_dict()
    if broken := [name for name, values in state.items() if not values.isfinite().all()]:
        raise EncoderError(
            f"The weights for {spec} hold values that are not finite, in {broken[0]} and "
            f"{len(broken) - 1} more tensors. Fetch or save them again."
        )
    name = architecture.partition("@")[0]
    description = {
        "architecture": open_clip.get_model_config(architecture),
        "name": name,  # open_clip chooses some tokenizers by this name
        # The weights of a tag may need another activation function than the architecture states.
        "quick_gelu": any(isinstance(part, QuickGELU) for part in model.modules()),
        "preprocess": asdict(preprocess),
        "dtype": "float32",
    }
    return LoadedModel(encoder_id(name, description, state), model, tokenize, preprocess)


def _prove(
    model: Any, image: SplitTower, text: SplitTower, tokenize: Any, preprocess: Preprocess
) -> None:
    """Compare projection @ activation + residual with the model's own embeddings, on both sides.

    Raises UnsupportedModel if they differ: then the last linear layer was not the one that was taken.
    """
    pixels = torch.randn(1, 3, *preprocess.size, generator=torch.Generator().manual_seed(0))
    tokens = tokenize(list(PROOF_PROMPTS))
    with torch.inference_mode():
        for side, tower, batch, encode in (
            ("image", image, pixels, model.encode_image),
            ("text", text, tokens, model.encode_text),
        ):
            wanted = encode(batch, normalize=False)
            features = tower(batch)
            found = features.activations @ tower.projection.T
            if features.residuals is not None:
                found = found + features.residuals
            difference = (found - wanted).abs().max() / wanted.abs().max()
            if not difference <= PROOF_TOLERANCE:
                raise UnsupportedModel(
                    f"The last linear layer of the {side} tower could not be found: the layer that was "
                    f"taken gives other embeddings than the model (relative difference "
                    f"{difference:.2g}, at most {PROOF_TOLERANCE} allowed). Choose another model, "
                    f"or take its features from a file with `--features FILE.npz`."
                )


# ------------------------------------------------------------------------------- open_clip's part


def _create(architecture: str, weights: str) -> tuple[Any, Any]:
    """The model on the CPU in float32, with its preprocessing attached, and its tokenizer."""
    tag = open_clip.get_pretrained_cfg(architecture, weights)
    try:
        tokenize = open_clip.get_tokenizer(architecture)
        model = open_clip.create_model(
            architecture,
            pretrained=weights,
            # The tag states the activation function of the training. The architecture may state
            # another one; open_clip then only warns, and the features would be wrong.
            force_quick_gelu=bool(tag.get("quick_gelu", False)),
            force_preprocess_cfg=None if tag else _preprocessing_beside(Path(weights)),
            require_pretrained=True,
            weights_only=True,
        )
    except EncoderError:
        raise
    except ImportError as error:
        raise EncoderError(
            f"{architecture} needs a package that is not installed ({error}). Models with a "
            f"tokenizer or text tower of the Hugging Face hub need `pip install transformers`."
        ) from error
    # Parsers and constructors raise all kinds of errors for a damaged or hostile file.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:400]
        if tag:
            raise EncoderError(
                f"The weights {architecture}:{weights} could not be fetched and loaded ({reason}). "
                f"On a machine without a network, copy the file from another machine and name it: "
                f"`--encoder {architecture}:path/to/weights.safetensors`."
            ) from error
        raise EncoderError(
            f"{weights} could not be loaded as weights of {architecture} ({reason}). Give a "
            f"safetensors file, or a torch checkpoint that holds nothing but tensors and plain "
            f"values, with the names and shapes of this architecture."
        ) from error
    return model, tokenize


def _preprocessing_beside(weights: Path) -> dict[str, Any] | None:
    """`preprocess_cfg` of the open_clip_config.json in the folder of the weights, if any."""
    path = weights.parent / PREPROCESSING_FILE
    if not path.is_file():
        return None
    config = read_json(path).get("preprocess_cfg", {})
    if not isinstance(config, dict):
        raise EncoderError(
            f"preprocess_cfg in {path} is not a JSON object. Correct or remove that file."
        )
    return {
        key: value for key, value in config.items() if key != "size"
    }  # the size of the tower counts
