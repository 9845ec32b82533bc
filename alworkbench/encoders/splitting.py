"""Split a tower before its last linear layer, without changing what the model computes.

Each kind of tower has one small function. It names the last linear layer and makes a copy of the tower
with an identity in its place. The copy shares every weight with the model, takes no memory and leaves
the model and its state dict unchanged. `loading` checks every split: it compares
projection @ activation + residual with the model's own embeddings before an encoder is returned.

Dimensions used in this file
    B  images or prompts of one batch
    P  activation size; a layer with a bias has a constant 1 as its last activation
    D  embedding size
    L  latent tokens of an attention pool (1 in every published SigLIP)
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn

from alworkbench.core.errors import UnsupportedModel
from alworkbench.encoders.head import Features


@dataclass(frozen=True, slots=True)
class SplitTower:
    """A tower without its last linear layer, and that layer."""

    body: Callable[[Tensor], Any]
    """Computes the activations without the constant 1, followed by the residuals if there are any. In
    towers that also return tokens, they are the first of several outputs."""
    projection: Float[Tensor, "D P"]
    """The bias, if there is one, is the last column."""
    bias: bool
    residual: bool
    layer: str
    """The dotted name of the last linear layer within the tower."""

    def __call__(self, batch: Float[Tensor, "B 3 H W"] | Int[Tensor, "B tokens"]) -> Features:
        """Activations (and residuals) in float32."""
        out = self.body(batch)
        out = (out[0] if isinstance(out, tuple | list) else out).float()
        width = self.projection.shape[1] - self.bias
        activations, residuals = out[:, :width], out[:, width:]
        if self.bias:
            activations = torch.cat([activations, activations.new_ones(len(activations), 1)], dim=1)
        return Features(activations, residuals if self.residual else None)


def split_image_tower(model: Any) -> SplitTower:
    """Split the image tower of an open_clip model. Raises UnsupportedModel if it cannot be split."""
    tower = model.visual
    match tower:
        case VisionTransformer():
            return _from_parameter(tower, "proj", "image")
        case ModifiedResNet():
            return _from_attention_pool(tower)
        case TimmModel():
            return _from_timm(tower)
    raise _unsupported("image", f"a {type(tower).__name__}")


def split_text_tower(model: Any) -> SplitTower:
    """Split the text tower of an open_clip model. Raises UnsupportedModel if it cannot be split."""
    if isinstance(model, CLIP):  # the parts of the text tower are attributes of the model itself
        split = _from_text_projection(model)
        encode: Any = split.body.encode_text  # type: ignore[attr-defined]
        return replace(split, body=encode)
    tower = getattr(model, "text", None)
    match tower:
        case TextTransformer():
            return _from_text_projection(tower)
        case HFTextEncoder():
            if isinstance(tower.proj, nn.Linear):
                return _from_linear(tower, "proj", nn.Identity())
            if isinstance(tower.proj, nn.Sequential) and isinstance(tower.proj[-1], nn.Linear):
                return _from_linear(tower, f"proj.{len(tower.proj) - 1}", nn.Identity())
            raise _unsupported("text", f"a {type(tower.proj).__name__} at the end")
    raise _unsupported("text", f"a {type(tower).__name__}")


# ---------------------------------------------------------------------------------- kinds of towers


def _from_parameter(tower: Any, name: str, side: str) -> SplitTower:
    """The projection is a P x D parameter, multiplied from the right; the tower skips None."""
    matrix = getattr(tower, name)
    if matrix is None:
        raise _unsupported(side, f"no projection (`{name}` is None)")
    projection = matrix.detach().T.contiguous()
    return SplitTower(with_part(tower, name, None), projection, False, False, name)


def _from_text_projection(tower: Any) -> SplitTower:
    if isinstance(tower.text_projection, nn.Linear):
        return _from_linear(tower, "text_projection", None)  # open_clip skips None
    return _from_parameter(tower, "text_projection", "text")


def _from_linear(tower: Any, path: str, neutral: nn.Module | None) -> SplitTower:
    """The projection is an nn.Linear in the tower, with nothing but pooling after it."""
    layer = tower.get_submodule(path)
    if not isinstance(layer, nn.Linear):
        raise _unsupported("image", f"a {type(layer).__name__} at {path}")
    body = with_part(tower, path, neutral)
    return SplitTower(body, _matrix(layer), layer.bias is not None, False, path)


def _from_attention_pool(tower: ModifiedResNet) -> SplitTower:
    """CLIP ResNets: the attention pool passes the weights of its output layer to a function. An
    identity *matrix* replaces these weights; it does not change any number."""
    layer = tower.attnpool.c_proj
    size = layer.in_features
    identity = (
        nn.Linear(size, size).to(layer.weight.device, layer.weight.dtype).requires_grad_(False)
    )
    nn.init.eye_(identity.weight)
    nn.init.zeros_(identity.bias)
    return _from_linear(tower, "attnpool.c_proj", identity)


def _from_timm(tower: TimmModel) -> SplitTower:
    """open_clip's adapter adds its own head to a timm trunk, or uses the last layer of the trunk."""
    head = dict(tower.head.named_children())
    if "proj" in head:
        return _from_linear(tower, "head.proj", nn.Identity())
    if "mlp" in head:
        return _from_linear(tower, "head.mlp.fc2", nn.Identity())
    if "pool" in head:
        return _from_linear(tower, "head.pool.proj", nn.Identity())
    classifier = tower.trunk.get_classifier()
    if isinstance(classifier, nn.Linear):
        path = next(name for name, part in tower.named_modules() if part is classifier)
        return _from_linear(tower, path, nn.Identity())
    pool = getattr(tower.trunk, "attn_pool", None)
    if isinstance(pool, nn.Module) and isinstance(classifier, nn.Identity):
        return _from_latent_pool(tower, pool)
    raise _unsupported(
        "image", f"{tower.trunk.__class__.__name__} of timm, ending in {type(classifier).__name__}"
    )


def _from_latent_pool(tower: TimmModel, pool: Any) -> SplitTower:
    """SigLIP: embedding = pooled(x + fc2(hidden(x))), so the last linear layer has a residual."""
    norm = getattr(tower.trunk, "fc_norm", None)
    if norm is not None and not isinstance(norm, nn.Identity):
        raise _unsupported("image", f"a {type(norm).__name__} behind its attention pool")
    mlp = getattr(pool, "mlp", None)
    if mlp is None or not isinstance(getattr(mlp, "fc2", None), nn.Linear):
        raise _unsupported("image", "an attention pool that does not end in an MLP")
    if pool.pool not in ("token", "avg"):
        raise _unsupported("image", f"an attention pool that pools by {pool.pool!r}")
    body = with_part(tower, "trunk.attn_pool", _LatentPoolBeforeLastLinear(pool))
    bias = mlp.fc2.bias is not None
    return SplitTower(body, _matrix(mlp.fc2), bias, True, "trunk.attn_pool.mlp.fc2")


class _LatentPoolBeforeLastLinear(nn.Module):
    """A timm attention pool that returns the input of its MLP's last layer and the residual.

    Pooling is linear, so that it may come before the last layer instead of after it.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__()
        tokens: Any = with_part(pool, "mlp", _Nothing())
        tokens.pool = ""  # all of them
        self.tokens: nn.Module = tokens
        self.norm: nn.Module = pool.norm
        self.hidden = with_part(pool.mlp, "fc2", nn.Identity())
        self.first_token = pool.pool == "token"

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Float[Tensor, "B both"]:
        tokens = self.tokens(x, attn_mask=attn_mask) if attn_mask is not None else self.tokens(x)
        both = torch.cat([self.hidden(self.norm(tokens)), tokens], dim=-1)  # B L (P - bias) + D
        return both[:, 0] if self.first_token else both.mean(dim=1)


class _Nothing(nn.Module):
    """A residual branch that adds nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


# ------------------------------------------------------------------------------------------- pieces


def with_part(module: nn.Module, path: str, part: nn.Module | None) -> nn.Module:
    """A copy of `module` with another part at the dotted `path`; they share everything else."""
    name, _, rest = path.partition(".")
    clone = copy.copy(module)
    # A shallow copy shares the registries as well; the clone needs its own before it is changed.
    clone._parameters = dict(module._parameters)
    clone._modules = dict(module._modules)
    new = with_part(getattr(module, name), rest, part) if rest else part
    if name in clone._modules:
        clone._modules[name] = new
    else:
        setattr(clone, name, new)
    return clone


def _matrix(layer: Any) -> Float[Tensor, "D P"]:
    weight = layer.weight.detach()
    if layer.bias is None:
        return weight.clone()
    return torch.cat([weight, layer.bias.detach()[:, None]], dim=1)


def _unsupported(side: str, found: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"The {side} tower of this model is or ends with {found}, but the posterior needs a "
        f"linear layer at its end. Supported are CLIP vision transformers and ResNets, CoCa, timm "
        f"towers (such as SigLIP) and text towers with a projection. Choose another model "
        f"(`alworkbench models` lists them), or compute the features yourself and add them with "
        f" `--features FILE.npz`.",
        reason=f"{side} tower: {found}",
    )
