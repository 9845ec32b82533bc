"""The parts of a causal text transformer, so that its input can be something else than token ids.

`splitting.py` runs a text tower as it is. Prompt tuning replaces token embeddings and needs the gradient
with respect to them, so it needs the parts: embeddings, blocks, the last norm and the projection. This
module reads them from an open_clip model and does not compute anything with them.

Dimensions used in this file
    T  prompts
    N  tokens of a prompt, padding included
    V  words of the vocabulary
    W  width of the transformer: size of a pooled activation
    D  embedding size
    R  3 W: queries, keys and values
    Q  size of a text activation: W, or W + 1 where the projection has a bias
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from open_clip.model import CLIP
from open_clip.transformer import ResidualAttentionBlock, TextTransformer
from torch import Tensor, nn
from torch.nn.functional import linear

from alworkbench.core.errors import PromptsNotTunable


@dataclass(frozen=True, slots=True)
class Block:
    """One residual attention block: x + scale_1(attention(norm_1(x))), then x + scale_2(mlp(norm_2(x)))."""

    heads: int
    norm_1: nn.Module
    in_weight: Float[Tensor, "R W"]
    """Makes queries, keys and values, in this order."""
    in_bias: Float[Tensor, "R"] | None
    attention_out: nn.Module
    scale_1: nn.Module
    norm_2: nn.Module
    mlp: nn.Module
    scale_2: nn.Module


@dataclass(frozen=True, slots=True)
class CausalTextTower:
    """A text tower in which a token sees only the tokens before it, pooled at the end token.

    Every weight is shared with the model and needs no gradient here; the model itself is not changed.
    """

    token_embedding: Float[Tensor, "V W"]
    positional_embedding: Float[Tensor, "N W"]
    blocks: tuple[Block, ...]
    last_norm: nn.Module
    projection: Float[Tensor, "D W"] | None
    """None: the pooled activation is the embedding."""
    projection_bias: Float[Tensor, "D"] | None
    end_token: int | None
    """The id of the end token. None: the end token has the largest id of the prompt."""
    encode: Callable[[Tensor], Tensor]
    """The model's own function from token ids to embeddings, not normalised."""

    def end_positions(self, ids: Int[Tensor, "T N"]) -> Int[Tensor, "T"]:
        """The position that the model pools: the first end token."""
        if self.end_token is None:
            return ids.argmax(dim=-1)
        return (ids == self.end_token).int().argmax(dim=-1)

    def activations(self, pooled: Float[Tensor, "... W"]) -> Float[Tensor, "... Q"]:
        """The inputs of the last linear layer, as `Head.text_projection` takes them.

        A layer with a bias has a constant 1 as its last activation, so that Q is W or W + 1.
        """
        if self.projection_bias is None:
            return pooled
        return torch.cat([pooled, torch.ones_like(pooled[..., :1])], dim=-1)

    def embed(self, pooled: Float[Tensor, "... W"]) -> Float[Tensor, "... D"]:
        """Text embeddings of pooled activations, not normalised."""
        if self.projection is None:
            return pooled
        return linear(pooled, self.projection, self.projection_bias)


def causal_text_tower(model: Any) -> CausalTextTower:
    """Read the text tower of an open_clip model.

    Raises PromptsNotTunable for a tower where every token sees all others (SigLIP, CLIPA), which pools
    something else than the end token (CoCa), or that is not a transformer of open_clip.
    """
    # CLIP holds the parts of its text tower as its own attributes.
    tower: Any = model if isinstance(model, CLIP) else getattr(model, "text", None)
    if not isinstance(tower, CLIP | TextTransformer):
        raise _not_tunable(f"is a {type(tower).__name__}")
    if getattr(tower, "cls_emb", None) is not None:
        raise _not_tunable("pools a class token that is appended to the prompt (CoCa)")
    if tower.attn_mask is None:
        raise _not_tunable("is bidirectional: every token sees all others (SigLIP, CLIPA)")
    clip = isinstance(tower, CLIP)
    pool = tower.text_pool_type if clip else tower.pool_type
    if pool not in ("argmax", "eos"):
        raise _not_tunable(f"pools by {pool!r} instead of taking the end token")
    blocks = list(tower.transformer.resblocks)
    for block in blocks:
        if type(block) is not ResidualAttentionBlock:
            raise _not_tunable(f"has blocks of the kind {type(block).__name__}")
    end = tower.text_eos_id if clip else tower.eos_id
    matrix, bias = _projection(tower.text_projection)
    return CausalTextTower(
        token_embedding=tower.token_embedding.weight.detach(),
        positional_embedding=tower.positional_embedding.detach(),
        blocks=tuple(_block(_frozen(block)) for block in blocks),
        last_norm=_frozen(tower.ln_final),
        projection=matrix,
        projection_bias=bias,
        end_token=end if pool == "eos" else None,
        encode=model.encode_text,
    )


def _block(block: Any) -> Block:
    return Block(
        heads=block.attn.num_heads,
        norm_1=block.ln_1,
        in_weight=block.attn.in_proj_weight,
        in_bias=block.attn.in_proj_bias,
        attention_out=block.attn.out_proj,
        scale_1=block.ls_1,
        norm_2=block.ln_2,
        mlp=block.mlp,
        scale_2=block.ls_2,
    )


def _projection(part: Any) -> tuple[Tensor | None, Tensor | None]:
    """The matrix D x W and the bias of a linear layer, of a parameter W x D, or of nothing."""
    if part is None:
        return None, None
    if isinstance(part, nn.Linear):
        return part.weight.detach(), None if part.bias is None else part.bias.detach()
    return part.detach().T, None


def _frozen(module: nn.Module) -> Any:
    """A copy that shares every weight and needs no gradient: autograd then keeps less for each layer."""
    shared: dict[int, Any] = {
        id(weight): nn.Parameter(weight.detach(), requires_grad=False)
        for weight in module.parameters()
    }
    return copy.deepcopy(module, shared).eval()


def _not_tunable(found: str) -> PromptsNotTunable:
    return PromptsNotTunable(
        f"The text tower of this model {found}. Prompt tuning needs a causal text transformer of "
        f"open_clip that takes the activation of the end token: CLIP, EVA-CLIP, ViTamin and most "
        f"others have one. Choose such a model (`alworkbench models` lists all models), or use the "
        f"prompts of this model without tuning."
    )
