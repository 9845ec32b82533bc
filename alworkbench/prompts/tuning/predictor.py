"""Prompt tuning over many images, and what it will cost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch.utils.flop_counter import FlopCounterMode

from alworkbench.encoders.causal_text import causal_text_tower
from alworkbench.prompts.tuning.class_prompts import Tokenizer, class_prompts
from alworkbench.prompts.tuning.objectives import C_TPT, Objective
from alworkbench.prompts.tuning.tuner import PromptTuner, TunedAnswer
from alworkbench.prompts.tuning.tuning_settings import DEFAULT_TUNING, TuningSettings
from alworkbench.prompts.tuning.view_features import TunableImage, ViewCache, view_features
from alworkbench.prompts.tuning.views import DEFAULT_VIEWS, Preprocess, ViewSettings

PROBE_VIEWS = 8
"""Views of the made-up image that the cost is measured on; the real number is extrapolated."""
PROBE_SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class TuningCost:
    """What tuning will cost, measured on one made-up image on this machine before it starts."""

    images: int
    views: int
    """Views of all images that must be encoded: none of an image that is in the cache."""
    operations_view: int
    """Multiply-adds of encoding one view."""
    operations_tuning: int
    """Multiply-adds of tuning for one image, without its views."""
    seconds_view: float
    """Making and encoding one view. Reading the file is not included."""
    seconds_tuning: float

    @property
    def operations(self) -> int:
        """Multiply-adds of everything."""
        return self.views * self.operations_view + self.images * self.operations_tuning

    @property
    def seconds(self) -> float:
        """Seconds for everything, without reading files; another load of the machine changes them."""
        return self.views * self.seconds_view + self.images * self.seconds_tuning


class TuningPredictor:
    """Answers of an open_clip model with a context that is tuned for each image.

    The answer for an image depends on the image and the settings alone: not on other images or their order.
    """

    def __init__(
        self,
        model: Any,
        tokenize: Tokenizer,
        preprocess: Preprocess,
        class_names: Sequence[str],
        *,
        objective: Objective = C_TPT,
        tuning: TuningSettings = DEFAULT_TUNING,
        views: ViewSettings = DEFAULT_VIEWS,
        cache: ViewCache | None = None,
    ) -> None:
        """Takes an open_clip model in memory; it is put into evaluation mode and not changed otherwise.

        Raises PromptsNotTunable for a text tower that cannot be tuned (SigLIP, CoCa), InvalidInitPhrase
        for a phrase that cannot be the context.
        """
        model.eval()
        tower = causal_text_tower(model)
        prompts = class_prompts(tower, tokenize, class_names, tuning.phrase)
        scale = model.logit_scale.detach().exp().item()
        self.tuner = PromptTuner(tower, prompts, scale, objective, tuning)
        self.views = views
        self._model = model
        self._preprocess = preprocess
        self._cache = cache

    def predict(self, images: Iterable[TunableImage]) -> Iterator[TunedAnswer]:
        """The answer for each image, in the order of the images, as soon as it is there.

        What `TunableImage.read` raises ends the iteration.
        """
        for image in images:
            yield self.tuner.tune(
                view_features(self._model, self._preprocess, image, self.views, self._cache)
            )

    def cost(self, images: int, cached: int = 0) -> TuningCost:
        """What `predict` costs for so many images, of which `cached` have their views in the cache.

        Encodes some views of a made-up image and tunes for it: seconds for a large model.
        """
        few = replace(self.views, count=min(self.views.count, PROBE_VIEWS))
        noise = np.random.default_rng(0).integers(0, 256, (*PROBE_SIZE[::-1], 3), dtype=np.uint8)
        probe = TunableImage("probe", lambda: PIL.Image.fromarray(noise))
        began = time.perf_counter()
        features = view_features(self._model, self._preprocess, probe, few)
        seconds_views = time.perf_counter() - began
        with FlopCounterMode(display=False) as tuning:
            began = time.perf_counter()
            self.tuner.tune(features)
            seconds_tuning = time.perf_counter() - began
        return TuningCost(
            images=images,
            views=(images - cached) * self.views.count,
            operations_view=_operations_view(self._model, self._preprocess),
            operations_tuning=tuning.get_total_flops() // 2,
            seconds_view=seconds_views / few.count,
            seconds_tuning=seconds_tuning,
        )


def _operations_view(model: Any, preprocess: Preprocess) -> int:
    """Multiply-adds of the image tower for one view."""
    weight = model.logit_scale
    pixels = preprocess(PIL.Image.new("RGB", PROBE_SIZE))[None].to(weight.device, weight.dtype)
    # Without a gradient, torch may run attention as one operation, whose products are not counted.
    with torch.enable_grad(), FlopCounterMode(display=False) as counted:
        model.encode_image(pixels.requires_grad_())
    return counted.get_total_flops() // 2
