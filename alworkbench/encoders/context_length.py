"""Prompts that are longer than the text tower of an encoder can read.

A tokenizer cuts such a prompt at the context length and says nothing. The end of the text is then lost: a
long class name, or the words of the template that follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from alworkbench.core.errors import EncoderError

CERTAINLY_SHORT = 8
"""A token stands for at least one byte, beside a few tokens that a tokenizer adds. A prompt with so many
bytes less than the context length has tokens is therefore never cut, and need not be tokenized."""


def cut_prompts(spec: str, prompts: Sequence[str]) -> list[str]:
    """The prompts that the tokenizer of this encoder cuts, in the given order.

    Reads the tokenizer alone and no weights. Raises UnknownEncoder for an unknown name, EncoderError
    where the tokenizer cannot be loaded.
    """
    tokenize = _load_tokenizer(spec)
    length = tokenize([""]).shape[1]
    long = [each for each in prompts if len(each.encode()) > length - CERTAINLY_SHORT]
    if not long:
        return []
    # With room for one token more, only a prompt that was cut has one token more. The most frequent token
    # of an empty text is the padding.
    padding = tokenize([""], context_length=length + 1).mode().values
    counts = [
        (tokenize(long, context_length=size) != padding).sum(dim=1) for size in (length, length + 1)
    ]
    return [each for each, cut in zip(long, (counts[1] > counts[0]).tolist(), strict=True) if cut]


@cache
def _load_tokenizer(spec: str) -> Any:
    """Texts to token numbers, one row for each text."""
    import open_clip

    from alworkbench.encoders.encoder_spec import resolve

    architecture, _ = resolve(spec)
    try:
        return open_clip.get_tokenizer(architecture)
    except Exception as error:  # an absent package, no network, a damaged file: all kinds of errors
        raise EncoderError(
            f"The tokenizer of {architecture} could not be loaded ({type(error).__name__}: {error}). "
            f"A tokenizer of the Hugging Face hub needs `pip install transformers`, and a network "
            f"when it is read for the first time."
        ) from error
