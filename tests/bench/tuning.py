"""Prompt tuning: seconds an image against the published way, and what it does to calibration.

    python -m tests.bench.tuning speed         a ViT-B/32 with random weights, 65 classes: minutes
    python -m tests.bench.tuning calibration   the bundled model on the test part of its sample: minutes
    python -m tests.bench.tuning               both

The published way encodes 64 views for each image, and runs the text tower on sequences of 77 tokens: forward,
backward, forward. Speed is measured on the CPU with one thread.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import open_clip
import PIL.Image
import torch
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor

from alworkbench.core.assets import BUNDLED, BUNDLED_NAME
from alworkbench.datasets.sample import SAMPLE, TEST, bundled_sample
from alworkbench.encoders.preprocessing import Preprocess
from alworkbench.encoders.supported import build
from alworkbench.evaluation.metrics import measure
from alworkbench.prompts.dispersion import text_feature_dispersion
from alworkbench.prompts.tuning.objectives import OBJECTIVES
from alworkbench.prompts.tuning.predictor import TuningPredictor
from alworkbench.prompts.tuning.tuner import PromptTuner
from alworkbench.prompts.tuning.tuning_settings import TuningSettings
from alworkbench.prompts.tuning.view_features import TunableImage, encode_views
from alworkbench.prompts.tuning.views import ViewSettings, make_views
from tests.prompts.direct_tuning import direct_tune

ARCHITECTURE, CLASSES = "ViT-B-32", 65
CONSOLE = Console(width=140)


def clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def noise(seed: int) -> TunableImage:
    tiles = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    image = PIL.Image.fromarray(tiles).resize((640, 480))
    return TunableImage(f"noise-{seed}", lambda: image)


# -------------------------------------------------------------------------------------------- speed


def speed(images: int = 5) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build(ARCHITECTURE, torch.device("cpu")).requires_grad_(False)
    preprocess = Preprocess.from_config(model.visual.preprocess_cfg)
    tokenize = open_clip.get_tokenizer(ARCHITECTURE)
    names = IMAGENET_CLASSNAMES[:CLASSES]
    start, made = clocked(lambda: TuningPredictor(model, tokenize, preprocess, names))
    tuner = made.tuner
    image = noise(0)
    seconds_make, views = clocked(
        lambda: make_views(image.read(), image.content_hash, preprocess, made.views)
    )
    seconds_encode, features = clocked(lambda: encode_views(model, views))
    fast, answer = clocked(lambda: [tuner.tune(features) for _ in range(images)][-1])
    ids = tuner.class_prompts.ids
    direct, twin = clocked(lambda: direct_tune(model, ids, 4, features, "c-tpt", 50.0))
    cost_took, cost = clocked(lambda: made.cost(1000))

    table = Table(
        title=f"{ARCHITECTURE}, {CLASSES} classes, C-TPT, one thread, torch {torch.__version__}",
        title_justify="left",
        box=None,
    )
    for heading in ("", "published, s", "here, s", "times faster"):
        table.add_column(heading, justify="right" if heading else "left")
    fast /= images

    def row(what: str, slow: float, quick: float) -> None:
        table.add_row(what, f"{slow:.2f}", f"{quick:.2f}", f"{slow / quick:.1f}")

    encoded = seconds_make + seconds_encode
    row("text tower, per image", direct, fast)
    row("per image, views encoded", encoded + direct, encoded + fast)
    row("per image, views cached", encoded + direct, fast)
    CONSOLE.print(table)
    tokens = tuner.class_prompts.tokens
    difference = float((answer.probabilities - twin.probabilities).abs().max())
    CONSOLE.print(
        f"once per class list {start:.2f} s; 64 views made in {seconds_make:.2f} s, encoded in "
        f"{seconds_encode:.2f} s; {tokens} tokens instead of {ids.numel():,}; largest difference of a "
        f"probability {difference:.1e}; estimate for 1,000 images {cost.seconds / 3600:.2f} h, "
        f"{cost.operations / 1e12:.0f} T multiply-adds, made in {cost_took:.1f} s"
    )


# -------------------------------------------------------------------------------------- calibration


def bundled_model() -> tuple[Any, Preprocess, Any]:
    config = json.loads((BUNDLED / "open_clip_config.json").read_text(encoding="utf-8"))
    model = open_clip.model.CLIP(**config["model_cfg"])
    model.load_state_dict(load_file(BUNDLED / f"{BUNDLED_NAME}.safetensors"))
    length = config["model_cfg"]["text_cfg"]["context_length"]
    tokenize = open_clip.SimpleTokenizer(context_length=length)
    return model.eval(), Preprocess.from_config(config["preprocess_cfg"]), tokenize


def test_part() -> tuple[list[TunableImage], Tensor]:
    """The test images of the sample and their labels."""
    names = [each.name for each in SAMPLE.classes]
    images, labels = [], []
    with zipfile.ZipFile(bundled_sample()) as archive:
        rows = csv.DictReader(io.StringIO(archive.read("manifest.csv").decode()))
        for row in rows:
            if row["split"] == TEST:
                picture = PIL.Image.open(io.BytesIO(archive.read(row["path"]))).convert("RGB")
                images.append(TunableImage(row["sha256"], lambda picture=picture: picture))
                labels.append(names.index(row["label"]))
    return images, torch.tensor(labels)


def calibration(views: int = 64) -> None:
    torch.set_num_threads(1)
    model, preprocess, tokenize = bundled_model()
    images, labels = test_part()
    names = [each.name for each in SAMPLE.classes]
    table = Table(
        title=f"Bundled model, {len(labels):,} test images of its sample, {views} views",
        title_justify="left",
        box=None,
    )
    for heading in ("", "accuracy", "ECE", "its floor", "NLPD", "Brier", "confidence", "ATFD"):
        table.add_column(heading, justify="right" if heading else "left")

    def row(what: str, probabilities: Tensor, dispersion: float) -> None:
        found = measure(probabilities, labels)
        values = (found.accuracy, found.ece, found.ece_floor, found.nlpd, found.brier)
        confidence = float(probabilities.amax(dim=-1).mean())
        table.add_row(what, *(f"{v:.3f}" for v in (*values, confidence, dispersion)))

    def answers(tuner: PromptTuner) -> tuple[Tensor, float]:
        found = [tuner.tune(each) for each in features]
        spread = [text_feature_dispersion(each.prompts.features) for each in found]
        return torch.stack([each.probabilities for each in found]), float(
            torch.stack(spread).mean()
        )

    settings = ViewSettings(count=views)
    made = TuningPredictor(model, tokenize, preprocess, names, views=settings)
    took, features = clocked(
        lambda: [
            encode_views(model, make_views(each.read(), each.content_hash, preprocess, settings))
            for each in images
        ]
    )
    plain = torch.cat([each[:1] for each in features])
    untuned = made.tuner.untuned
    row(
        "zero-shot",
        made.tuner.logits(plain, untuned.features).softmax(dim=-1),
        float(text_feature_dispersion(untuned.features)),
    )
    tower, prompts, scale = made.tuner.tower, made.tuner.class_prompts, made.tuner.logit_scale
    for objective in OBJECTIVES:
        weights = sorted({objective.weight, objective.shift_weight}, reverse=True)
        for weight in weights:
            tuner = PromptTuner(tower, prompts, scale, objective, TuningSettings(weight=weight))
            what = f"{objective.name}, weight {weight:g}" if objective.penalty else objective.name
            row(what, *answers(tuner))
        if objective.penalty is not None:
            alone = tuner.tune_without_images()
            probabilities = tuner.logits(plain, alone.features).softmax(dim=-1)
            spread = float(text_feature_dispersion(alone.features))
            row(f"{objective.name} without images", probabilities, spread)
    CONSOLE.print(table)
    CONSOLE.print(f"views made and encoded in {1000 * took / len(images):.0f} ms an image")


PARTS = {"speed": speed, "calibration": calibration}


def main(words: list[str]) -> None:
    for name in words or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
