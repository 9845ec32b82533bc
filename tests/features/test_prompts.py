"""Prompts are encoded once, in few writes, and an interrupted call keeps what it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

import alworkbench.features.prompts as module
from alworkbench.encoders.head import Features, Head
from alworkbench.features.prompts import MOST_WRITES, encode_missing
from alworkbench.features.store import FeatureStore
from tests.factories import small_model

WIDTH = 6


@dataclass
class Prompter:
    """Encodes the number in a prompt, and stops at a prompt that it cannot read."""

    asked: list[str] = field(default_factory=list)
    id: str = "numbers"
    spec: str = "numbers"
    head: Head = field(default_factory=lambda: small_model().head)
    preprocess: object = str

    def encode_images(self, pixels: torch.Tensor) -> Features:
        raise NotImplementedError

    def encode_prompts(self, prompts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
        self.asked.extend(prompts)
        return torch.tensor([[float(prompt)] * WIDTH for prompt in prompts])


def test_each_prompt_is_encoded_once_whatever_is_asked_how_often(tmp_path: Path) -> None:
    store, encoder = FeatureStore(tmp_path), Prompter()
    encode_missing(store, encoder, ["1", "2", "1"])
    encode_missing(store, encoder, ["3", "2"])
    assert encoder.asked == ["1", "2", "3"]
    found = store.prompt_activations(["3", "1", "2"])
    assert found is not None
    assert found[:, 0].tolist() == [3, 1, 2]


def test_many_prompts_are_written_in_few_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROMPT_ROWS", 3)
    store, told, writes = FeatureStore(tmp_path), [], []
    add = FeatureStore.add_prompts
    monkeypatch.setattr(
        FeatureStore, "add_prompts", lambda *given: writes.append(len(given[1])) or add(*given)
    )
    prompts = [str(k) for k in range(100)]
    encode_missing(store, Prompter(), prompts, lambda *words: told.append(words[1:]))
    assert sum(writes) == 100
    assert len(writes) <= MOST_WRITES
    assert [total for _, total in told] == [100] * len(told)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1][0] == 100
    found = store.prompt_activations(prompts)
    assert found is not None
    assert found[:, 0].tolist() == list(range(100))


def test_an_interrupted_call_keeps_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROMPT_ROWS", 2)
    store = FeatureStore(tmp_path)
    with pytest.raises(ValueError):
        encode_missing(store, Prompter(), ["1", "2", "no number", "3"])
    assert store.missing_prompts(["1", "2", "3"]) == ["3"]
