"""The prompts of all classes with a shared context, as token embeddings without padding.

The prompt of a class is "<phrase> <class name>.", for example "a photo of a barn owl.". The token
embeddings of the phrase are the context vectors, which can be tuned. All classes share them.

A causal tower makes three savings exact. Tokens behind the end token change nothing, so no sequence is
padded. The states of the prefix (start token and context) are the same for all classes, so they occur
once. The other tokens of all classes (the suffixes) lie one behind the other in one packed sequence.

Dimensions used in this file
    C  classes
    N  tokens of a prompt as the tokenizer gives it, padding included
    K  context vectors
    L  start tokens: 1 for the tokenizers of CLIP
    P  tokens of the prefix: start tokens and context
    M  tokens of all suffixes together
    S  tokens of the longest suffix
    W  width of the text transformer
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.core.errors import InvalidInitPhrase
from alworkbench.encoders.causal_text import CausalTextTower

Tokenizer = Callable[[list[str]], Tensor]
"""Token ids of prompts, one row for each, padded to one length."""


@dataclass(frozen=True, slots=True)
class ClassPrompts:
    """The prompts of the classes, ready for `packed_text.pooled_activations`."""

    ids: Int[Tensor, "C N"]
    """Token ids of the untuned prompts."""
    context: Float[Tensor, "K W"]
    """The context vectors before tuning: token embeddings of the phrase."""
    start: Float[Tensor, "L W"]
    """Token embeddings in front of the context."""
    prefix_positions: Float[Tensor, "P W"]
    """Positional embeddings of the prefix."""
    suffixes: Float[Tensor, "M W"]
    """Token plus positional embeddings of the suffixes, class after class."""
    padded: Int[Tensor, "C S"]
    """Where the j-th suffix token of a class is in the packed suffixes. Behind the end token it is any
    place: no token that counts sees it."""
    packed: Int[Tensor, "M"]
    """Where a packed token is in `padded`, flattened: the inverse."""
    ends: Int[Tensor, "C"]
    """Where the end tokens are in the packed suffixes."""

    @property
    def tokens(self) -> int:
        """Tokens that go through the transformer for one context: P + M."""
        return len(self.prefix_positions) + len(self.suffixes)


def prompt_texts(class_names: Sequence[str], phrase: str) -> list[str]:
    """The untuned prompt of each class; underscores in names become spaces."""
    return [f"{phrase} {name.replace('_', ' ')}." for name in class_names]


def class_prompts(
    tower: CausalTextTower, tokenize: Tokenizer, class_names: Sequence[str], phrase: str
) -> ClassPrompts:
    """The prompts of all classes, see `prompt_texts`.

    The number of context vectors is the number of *tokens* of the phrase. Raises InvalidInitPhrase if the
    phrase has no token, or if its tokens change when a class name follows.
    """
    ids = tokenize(["", phrase, *prompt_texts(class_names, phrase)]).to(
        tower.token_embedding.device
    )  # 2 + C, N
    end_of = tower.end_positions(ids)
    lead, prefix = int(end_of[0]), int(end_of[1])  # positions before the end token
    phrase_ids, ids, end_of = ids[1, :prefix], ids[2:], end_of[2:]
    if prefix == lead:
        raise InvalidInitPhrase(phrase, "it has no token")
    if not (ids[:, :prefix] == phrase_ids).all() or not (end_of > prefix).all():
        raise InvalidInitPhrase(phrase, "its tokens change when a class name follows")

    lengths = end_of - prefix + 1  # of the suffixes, the end token included
    steps = torch.arange(int(lengths.max()), device=ids.device)  # S
    counts = steps < lengths[:, None]  # C S
    first = lengths.cumsum(0) - lengths  # C
    padded = torch.where(counts, first[:, None] + steps, 0)
    positions = (prefix + steps).expand_as(counts)[counts]  # M
    suffix_ids = ids[:, prefix : prefix + len(steps)][counts]
    return ClassPrompts(
        ids=ids,
        context=tower.token_embedding[phrase_ids[lead:]],
        start=tower.token_embedding[phrase_ids[:lead]],
        prefix_positions=tower.positional_embedding[:prefix],
        suffixes=tower.token_embedding[suffix_ids] + tower.positional_embedding[positions],
        padded=padded,
        packed=counts.flatten().nonzero()[:, 0],
        ends=first + lengths - 1,
    )
