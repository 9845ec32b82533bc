"""Small open_clip models with random weights, and images, for the tests of prompt tuning."""

from __future__ import annotations

from typing import Any

import numpy as np
import open_clip
import PIL.Image
import torch
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn

from alworkbench.encoders.preprocessing import Preprocess
from alworkbench.prompts.tuning.view_features import TunableImage, encode_views
from alworkbench.prompts.tuning.views import ViewSettings, make_views

EMBEDDING = 24
TEXT = {"context_length": 20, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 2}
VIT = {"image_size": 32, "patch_size": 16, "width": 40, "head_width": 20, "layers": 1}
PREPROCESS = Preprocess((32, 32), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
CLASSES = ("barn owl", "jay", "great_spotted woodpecker", "tit", "common kingfisher bird", "wren")
TOKENIZER = open_clip.SimpleTokenizer(context_length=20)
FEW_VIEWS = ViewSettings(count=16)


def clip(**text: Any) -> nn.Module:
    return CLIP(EMBEDDING, VIT, TEXT | text)


def custom(**text: Any) -> nn.Module:
    return CustomTextCLIP(EMBEDDING, VIT, TEXT | text, quick_gelu=True)


TUNABLE = {
    "clip": clip,
    "clip-end-token": lambda: clip(pool_type="eos", eos_id=49407),
    "clip-linear-projection": lambda: clip(proj_bias=True),
    "clip-no-projection": lambda: clip(proj_type="none"),
    "custom-text": custom,
    "custom-text-layer-scale": lambda: custom(ls_init_value=0.3),
    "custom-text-one-layer": lambda: custom(layers=1),
}


def coca() -> nn.Module:
    vision = VIT | {"attentional_pool": True, "attn_pooler_queries": 4, "attn_pooler_heads": 2}
    text = TEXT | {"embed_cls": True, "output_tokens": True}
    decoder = TEXT | {"attn_pooler_heads": 2}
    return CoCa(EMBEDDING, decoder, text, vision | {"output_tokens": True})


def siglip() -> nn.Module:
    text = TEXT | {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
    return CustomTextCLIP(EMBEDDING, VIT, text, init_logit_bias=-10.0)


def drawn(made: nn.Module, seed: int = 0, scale: float = 100.0) -> nn.Module:
    """Random weights everywhere in float64: no bias, norm or layer scale hides behind a zero or a one."""
    chance = torch.Generator().manual_seed(seed)
    made = made.double().eval()
    for name, weights in made.named_parameters():
        if not name.startswith("logit"):
            noise = torch.randn(weights.shape, generator=chance, dtype=torch.float64)
            weights.data += (0.02 if "embedding" in name else 0.1) * noise
    made.logit_scale.data.fill_(np.log(scale))
    return made


def pictures(count: int, seed: int = 0) -> list[TunableImage]:
    """Random colours in coarse tiles: crops differ from each other and from the whole."""
    chance = np.random.default_rng(seed)
    tiles = chance.integers(0, 256, (count, 6, 7, 3), dtype=np.uint8)
    images = [PIL.Image.fromarray(each).resize((50, 40)) for each in tiles]
    return [TunableImage(f"{seed}-{k}", lambda each=each: each) for k, each in enumerate(images)]


def features_of(model: nn.Module, images: list[TunableImage]) -> list[Tensor]:
    """Unit features of the views of each image."""
    return [
        encode_views(model, make_views(each.read(), each.content_hash, PREPROCESS, FEW_VIEWS))
        for each in images
    ]
