"""Trains the bundled model: `python -m alworkbench.datasets.train_bundled`.

A small CLIP (open_clip's ModifiedResNet and text transformer) is trained with InfoNCE on pictures of six
of the ten classes of Fashion-MNIST, with generated captions. It does not know the other four, as every
real model does not know some classes of a user. No picture of the bundled sample is trained on: the
sample's pool comes from the first 30,000 training rows and its test part from the test files; training
uses the last 30,000 rows without any picture that also occurs in the other rows.

A caption is often true of several pictures of a batch. The target of a picture is therefore spread
evenly over all captions of the batch that are true of it, and the target of a caption over all such
pictures. With one true caption for each picture, this is the usual InfoNCE.

The same seed, number of threads and torch release give the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import PIL.Image
import torch
from jaxtyping import Bool, Float
from rich.console import Console
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import log_softmax, normalize, pad

from alworkbench.core.assets import BUNDLED, BUNDLED_NAME
from alworkbench.core.atomic_files import atomic_path, write_atomically
from alworkbench.datasets.bundled_card import card, measure
from alworkbench.datasets.bundled_recipe import Recipe, TrainingData, training_data
from alworkbench.datasets.captions import truth, write_captions
from alworkbench.datasets.fashion_mnist import (
    CLASS_NAMES,
    DEFAULT_FOLDER,
    load_fashion_mnist,
)
from alworkbench.encoders.encoder_spec import PREPROCESSING_FILE
from alworkbench.encoders.preprocessing import Preprocess

SIZE = 64
CONTEXT = 20
ARCHITECTURE: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": SIZE, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32},
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 49408,
        "width": 64,
        "heads": 4,
        "layers": 2,
    },
}


# --------------------------------------------------------------------------------------- training


def train(data: TrainingData, preprocess: Preprocess, recipe: Recipe, console: Console) -> Any:
    """The trained model, on the CPU, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        start = math.log(recipe.start_scale)
        model = open_clip.model.CLIP(**ARCHITECTURE, init_logit_scale=start)
    model.to(memory_format=torch.channels_last).train()
    tokenize = open_clip.SimpleTokenizer(context_length=CONTEXT)
    steps = int(len(data.images) * recipe.epochs / recipe.batch)
    optimiser = _optimiser(model, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: (
            min(1.0, (step + 1) / recipe.warm_up) * (1 + math.cos(math.pi * step / steps)) / 2
        ),
    )
    began = time.monotonic()
    for step, batch in zip(range(1, steps + 1), _batches(data, preprocess, recipe), strict=False):
        captions, place = np.unique(batch.captions, return_inverse=True)  # each is encoded once
        images = normalize(model.encode_image(batch.pixels), dim=-1)  # B D
        texts = normalize(model.encode_text(tokenize(list(captions))), dim=-1)[place]  # B D
        loss = contrastive_loss(model.logit_scale.exp() * images @ texts.T, batch.true)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0.0, math.log(100.0))
        if step % 50 == 0 or step == steps:
            left = (time.monotonic() - began) / step * (steps - step)
            console.print(f"step {step} of {steps}: loss {loss.item():.3f}, {left:.0f} s remain")
    return model.eval()


def contrastive_loss(logits: Float[Tensor, "B B"], true: Bool[Tensor, "B B"]) -> Float[Tensor, ""]:
    """InfoNCE with the target spread evenly over all true pairs of a row, and of a column."""
    target = true.to(logits.dtype)  # [picture, caption]
    by_picture = -(target / target.sum(1, keepdim=True) * log_softmax(logits, dim=1)).sum(1)
    by_caption = -(target / target.sum(0, keepdim=True) * log_softmax(logits, dim=0)).sum(0)
    return (by_picture.mean() + by_caption.mean()) / 2


@dataclass(frozen=True, slots=True)
class _Batch:
    pixels: Float[Tensor, "B 3 H W"]
    captions: list[str]
    true: Bool[Tensor, "B B"]


def _batches(data: TrainingData, preprocess: Preprocess, recipe: Recipe) -> Iterator[_Batch]:
    """Endless batches of random pictures, mirrored and shifted, each with a new caption."""
    generator = np.random.default_rng(recipe.seed)
    prepared = torch.stack([preprocess(PIL.Image.fromarray(image))[:1] for image in data.images])
    black = prepared.min().item()
    while True:
        order = generator.permutation(len(data.images))
        for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
            rows = order[start : start + recipe.batch]
            pixels = prepared[rows]  # B 1 H W
            mirrored = torch.from_numpy(generator.random(recipe.batch) < 0.5)
            pixels[mirrored] = pixels[mirrored].flip(-1)
            down, right = generator.integers(0, 2 * recipe.shift + 1, 2)
            pixels = pad(pixels, (recipe.shift,) * 4, value=black)
            pixels = pixels[:, :, down : down + SIZE, right : right + SIZE].expand(-1, 3, -1, -1)
            labels, facts = data.labels[rows], data.facts[rows]
            captions = write_captions(labels, facts, generator)
            yield _Batch(
                pixels.contiguous(memory_format=torch.channels_last),
                captions.texts(CLASS_NAMES),
                torch.from_numpy(truth(labels, facts, captions)),
            )


def _optimiser(model: Any, recipe: Recipe) -> torch.optim.Optimizer:
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, weights in model.named_parameters():
        (free if weights.ndim < 2 or "embedding" in name else decayed).append(weights)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))


# ------------------------------------------------------------------------------------------ files


def preprocess_for(data: TrainingData) -> Preprocess:
    """Preprocessing that standardises with the mean and deviation of this data."""
    mean, std = (round(float(value) / 255, 4) for value in (data.images.mean(), data.images.std()))
    return Preprocess((SIZE, SIZE), (mean,) * 3, (std,) * 3)


def write_model(model: Any, preprocess: Preprocess, folder: Path) -> None:
    """Write the architecture (in open_clip's form), the weights in half precision, and the preprocessing
    to the file that `encoders.loading` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    architecture = json.dumps(ARCHITECTURE, indent=2) + "\n"
    write_atomically(folder / f"{BUNDLED_NAME}.json", architecture.encode())
    description = {"model_cfg": ARCHITECTURE, "preprocess_cfg": asdict(preprocess)}
    text = json.dumps(description, indent=2) + "\n"
    write_atomically(folder / PREPROCESSING_FILE, text.encode())
    state = {
        name: values.half().contiguous() if values.is_floating_point() else values.contiguous()
        for name, values in model.state_dict().items()
    }
    with atomic_path(folder / f"{BUNDLED_NAME}.safetensors") as draft:
        save_file(state, draft)
        draft.chmod(0o644)  # safetensors makes the file readable only for its owner


def main(arguments: list[str] | None = None) -> None:
    """Train the bundled model: `python -m alworkbench.datasets.train_bundled`."""
    parser = argparse.ArgumentParser(
        prog="python -m alworkbench.datasets.train_bundled",
        description="Train the bundled model from Fashion-MNIST, measure it and write its card.",
        epilog="example: python -m alworkbench.datasets.train_bundled --out /tmp/model --seed 1",
    )
    parser.add_argument("--out", type=Path, default=BUNDLED, help="folder to write (%(default)s)")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--epochs", type=float, default=Recipe().epochs)
    parser.add_argument("--threads", type=int, default=2, help="results depend on it a little")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="IDX files (%(default)s)")
    options = parser.parse_args(arguments)

    torch.set_num_threads(options.threads)
    console = Console()
    fashion = load_fashion_mnist(options.data)
    data = training_data(fashion)
    recipe = Recipe(seed=options.seed, epochs=options.epochs)
    preprocess = preprocess_for(data)
    began = time.monotonic()
    model = train(data, preprocess, recipe, console)
    seconds = time.monotonic() - began
    write_model(model, preprocess, options.out)
    measured = measure(options.out, fashion)
    text = card(measured, data, recipe, seconds, options.threads, options.out)
    write_atomically(options.out / "CARD.md", text.encode())
    console.print(
        f"{options.out}: zero-shot accuracy {measured.accuracy:.3f} "
        f"({measured.seen_accuracy:.3f} on the classes it knows), trained in {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
