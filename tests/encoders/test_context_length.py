"""A prompt is called cut exactly if the tokenizer drops a part of it."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.assets import BUNDLED, BUNDLED_NAME
from alworkbench.core.errors import UnknownEncoder
from alworkbench.encoders.context_length import cut_prompts

LENGTH = json.loads((BUNDLED / f"{BUNDLED_NAME}.json").read_text())["text_cfg"]["context_length"]
TOKENIZER = open_clip.SimpleTokenizer(context_length=LENGTH)
WORDS = ("owl", "barn", "a", "photograph", "antidisestablishmentarianism", "é", "猫", "!")


@settings(max_examples=12)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=LENGTH + 2).map(" ".join), max_size=4))
def test_a_prompt_is_cut_if_it_has_more_tokens_than_the_model_reads(prompts: list[str]) -> None:
    wanted = [each for each in prompts if len(TOKENIZER.encode(each)) + 2 > LENGTH]
    assert cut_prompts("bundled", prompts) == wanted


def test_the_longest_prompt_that_fits_is_not_cut() -> None:
    fits = " ".join(["owl"] * (LENGTH - 2))
    assert cut_prompts("bundled", [fits, fits + " owl"]) == [fits + " owl"]
    assert cut_prompts("bundled", []) == []


def test_an_encoder_without_a_model_has_no_tokenizer(tmp_path: Path) -> None:
    for spec in ("features:toy", "ViT-B-32", f"ViT-B-32:{tmp_path / 'absent'}"):
        with pytest.raises(UnknownEncoder):
            cut_prompts(spec, ["a"])
