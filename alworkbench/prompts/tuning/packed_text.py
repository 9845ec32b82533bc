"""The text transformer on packed prompts: what open_clip computes, without padding and repetition.

Only attention needs the suffixes side by side. All other layers treat each token alone and run on the
packed tokens. For 65 classes with names of two words this is a tenth of the tokens that `encode_text`
takes. The numbers are the same up to rounding; `check_against_model` compares them.

Dimensions used in this file
    I  contexts: one for each image, or a single one
    C  classes
    K  context vectors
    P  tokens of the prefix
    M  tokens of all suffixes together
    A  P + M
    S  tokens of the longest suffix
    W  width of the text transformer
    H  heads of attention
    E  size of a head
    D  embedding size
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import linear, normalize

from alworkbench.core.errors import PromptsNotTunable
from alworkbench.encoders.causal_text import Block, CausalTextTower
from alworkbench.prompts.tuning.class_prompts import ClassPrompts

CHECKED_PROMPTS = 2
"""Prompts that are compared with the model's own embeddings: each runs at its full length there."""
TOLERANCE = 1e-4
"""Largest difference to the model's embeddings, relative to the largest value."""


def pooled_activations(
    tower: CausalTextTower, prompts: ClassPrompts, contexts: Float[Tensor, "I K W"]
) -> Float[Tensor, "I C W"]:
    """The activation of each class's end token, before the projection. Differentiable in the contexts."""
    images = len(contexts)
    start = prompts.start.expand(images, -1, -1)
    prefix = torch.cat([start, contexts], dim=1) + prompts.prefix_positions  # I P W
    x = torch.cat([prefix, prompts.suffixes.expand(images, -1, -1)], dim=1)  # I A W
    for block in tower.blocks:
        x = x + block.scale_1(_attention(block, prompts, block.norm_1(x)))
        x = x + block.scale_2(block.mlp(block.norm_2(x)))
    ends = x[:, prefix.shape[1] + prompts.ends]  # I C W
    return tower.last_norm(ends)


def text_features(tower: CausalTextTower, pooled: Float[Tensor, "... W"]) -> Float[Tensor, "... D"]:
    """Unit text features: projected and normalised."""
    return normalize(tower.embed(pooled), dim=-1)


def check_against_model(
    tower: CausalTextTower, prompts: ClassPrompts, pooled: Float[Tensor, "C W"]
) -> None:
    """Compare the first prompts with the model's own embeddings.

    `pooled` are the activations of the untuned context. Raises PromptsNotTunable if the embeddings
    differ: then the tower is built in a way that this module does not know.
    """
    with torch.no_grad():
        wanted = tower.encode(prompts.ids[:CHECKED_PROMPTS])
        found = tower.embed(pooled[:CHECKED_PROMPTS])
    difference = ((found - wanted).abs().max() / wanted.abs().max()).item()
    if not difference <= TOLERANCE:
        raise PromptsNotTunable(
            f"The text tower of this model could not be taken apart: its parts give other embeddings than "
            f"the whole (relative difference {difference:.2g}, at most {TOLERANCE} allowed). Choose "
            f"another model, or use the prompts of this model without tuning."
        )


def _attention(
    block: Block, prompts: ClassPrompts, x: Float[Tensor, "I A W"]
) -> Float[Tensor, "I A W"]:
    """Causal attention: prefix tokens see the prefix, suffix tokens the prefix and their own class."""
    prefix = len(prompts.prefix_positions)
    classes, longest = prompts.padded.shape
    parts = linear(x, block.in_weight, block.in_bias).unflatten(-1, (3, block.heads, -1))
    head = parts[:, :prefix].permute(2, 0, 3, 1, 4)  # 3 I H P E
    tail = parts[:, prefix + prompts.padded.flatten()].permute(2, 0, 3, 1, 4)  # 3 I H C*S E
    scale = head.shape[-1] ** -0.5
    q, k, v = head[0] * scale, head[1], head[2]
    weights = (q @ k.mT + _causal(prefix, x)).softmax(dim=-1)
    before = (weights @ v).transpose(1, 2).flatten(2)  # I P W

    queries = tail[0] * scale
    own_q, own_k, own_v = (part.unflatten(2, (classes, longest)) for part in (queries, *tail[1:]))
    shared = (queries @ k.mT).unflatten(2, (classes, longest))  # I H C S P
    own = own_q @ own_k.mT + _causal(longest, x)  # I H C S S
    weights = torch.cat([shared, own], dim=-1).softmax(dim=-1)
    of_prefix = weights[..., :prefix].flatten(2, 3) @ v  # I H C*S E
    of_own = (weights[..., prefix:] @ own_v).flatten(2, 3)
    after = (of_prefix + of_own)[:, :, prompts.packed]  # I H M E
    after = after.transpose(1, 2).flatten(2)
    return block.attention_out(torch.cat([before, after], dim=1))


def _causal(size: int, like: Tensor) -> Float[Tensor, "n n"]:
    """0 where a token may look (itself and what is before it), minus infinity elsewhere."""
    return like.new_full((size, size), float("-inf")).triu(1)
