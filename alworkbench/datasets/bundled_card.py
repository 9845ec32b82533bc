"""Measurements of the bundled model through the ordinary API, and its model card."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import PIL.Image
import sklearn
import torch
from jaxtyping import Float, Int64, UInt8
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from alworkbench.core.assets import BUNDLED_NAME
from alworkbench.datasets.bundled_recipe import Recipe, TrainingData
from alworkbench.datasets.fashion_mnist import CLASS_NAMES, FashionMnist
from alworkbench.datasets.sample import TEMPLATES, UNKNOWN_TO_BUNDLED_MODEL
from alworkbench.encoders import Encoder, load_encoder
from alworkbench.encoders.head import Features, ensemble_prompts

PROBE_LABELS = 1000
PROBE_POOL = 30_000
PROBE_SEED = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures on the 10,000 pictures of Fashion-MNIST's test files. Confidence is the largest softmax
    probability over the ten class names."""

    encoder_id: str
    logit_scale: float
    activations: int
    embeddings: int
    class_accuracy: tuple[float, ...]
    class_confidence: tuple[float, ...]
    called: tuple[str, ...]
    """The most frequent prediction for each class."""
    accuracy: float
    confidence: float
    probe_accuracy: float
    """Accuracy of a logistic regression on activations, from PROBE_LABELS random labels."""

    @property
    def seen_accuracy(self) -> float:
        """Mean accuracy over the classes that the bundled model was trained on."""
        pairs = zip(CLASS_NAMES, self.class_accuracy, strict=True)
        return float(np.mean([a for name, a in pairs if name not in UNKNOWN_TO_BUNDLED_MODEL]))


def measure(folder: Path, data: FashionMnist) -> Measured:
    """Load the model from its files, as any other model, and measure it."""
    spec = f"{folder / BUNDLED_NAME}.json:{folder / BUNDLED_NAME}.safetensors"
    encoder = load_encoder(spec, torch.device("cpu"))
    labels = torch.from_numpy(data.test_labels.astype(np.int64))
    features = Features(encode(encoder, data.test_images))
    probabilities = encoder.head.logits(features, class_activations(encoder)).softmax(dim=1)  # N C
    confidence, called = probabilities.max(dim=1)
    correct = (called == labels).float()
    classes = range(len(CLASS_NAMES))
    return Measured(
        encoder_id=encoder.id,
        logit_scale=encoder.head.logit_scale,
        activations=features.activations.shape[1],
        embeddings=len(encoder.head.image_projection),
        class_accuracy=tuple(correct[labels == c].mean().item() for c in classes),
        class_confidence=tuple(confidence[labels == c].mean().item() for c in classes),
        called=tuple(CLASS_NAMES[int(called[labels == c].mode().values)] for c in classes),
        accuracy=correct.mean().item(),
        confidence=confidence.mean().item(),
        probe_accuracy=_probe(encoder, data, features.activations, data.test_labels),
    )


def encode(encoder: Encoder, images: UInt8[np.ndarray, "N 28 28"]) -> Float[Tensor, "N P"]:
    """Activations (N, P) of grey images, in blocks of about 500."""
    blocks = [
        torch.stack([encoder.preprocess(PIL.Image.fromarray(image)) for image in block])
        for block in np.array_split(images, max(1, len(images) // 500))
    ]
    return torch.cat([encoder.encode_images(pixels).activations for pixels in blocks])


def class_activations(encoder: Encoder) -> Float[Tensor, "C Q"]:
    """The zero-shot classifier of the sample's names and templates."""
    prompts = [template.format(name) for name in CLASS_NAMES for template in TEMPLATES]
    class_of = torch.arange(len(CLASS_NAMES)).repeat_interleave(len(TEMPLATES))
    return ensemble_prompts(encoder.head, encoder.encode_prompts(prompts), class_of)


def _probe(
    encoder: Encoder,
    data: FashionMnist,
    test: Float[Tensor, "M P"],
    labels: Int64[np.ndarray, "M"] | UInt8[np.ndarray, "M"],
) -> float:
    """Test accuracy of a logistic regression; cross-validation on its labels chooses its strength."""
    generator = np.random.default_rng(PROBE_SEED)
    rows = generator.choice(PROBE_POOL, size=PROBE_LABELS, replace=False)
    probe = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        {"logisticregression__C": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]},
        cv=5,
    )
    probe.fit(encode(encoder, data.train_images[rows]).numpy(), data.train_labels[rows])
    return float(probe.score(test.numpy(), labels))


def card(
    measured: Measured,
    data: TrainingData,
    recipe: Recipe,
    seconds: float,
    threads: int,
    folder: Path,
) -> str:
    """The model card, in Markdown."""
    weights = folder / f"{BUNDLED_NAME}.safetensors"
    known = [name for name in CLASS_NAMES if name not in UNKNOWN_TO_BUNDLED_MODEL]
    rows = "\n".join(
        f"| {name} | {'yes' if name in known else 'no'} | {accuracy:.3f} | {confidence:.3f} | {called} |"
        for name, accuracy, confidence, called in zip(
            CLASS_NAMES,
            measured.class_accuracy,
            measured.class_confidence,
            measured.called,
            strict=True,
        )
    )
    how = (
        f"{recipe.epochs:g} epochs of batches of {recipe.batch}, AdamW, learning rate "
        f"{recipe.learning_rate:g}, seed {recipe.seed}"
    )
    megabytes = weights.stat().st_size / 1e6
    return f"""# {BUNDLED_NAME}

A small CLIP that comes with alworkbench, so that everything can be tried without a download. It
shows the workbench; it is of no use for judging photographs. It knows 28 x 28 grey pictures of six
kinds of clothing, and nothing else: its blind spots are on purpose.

Written by `python -m alworkbench.datasets.train_bundled --seed {recipe.seed}`, which makes the same
weights again with the same torch release and number of threads.

## Training
- Data: {len(data.images):,} pictures of Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747; MIT
  licence, Zalando SE), from rows 30,000 to 59,999 of the training files, classes {", ".join(known)}.
  {data.repeated} were left out because the same pixels occur in the other rows or the test files. No picture
  of the bundled sample was trained on.
- Captions: the class name in one of several templates, sometimes with facts measured on the pixels
  (dark, bright, plain, patterned, low, tall). The words {", ".join(UNKNOWN_TO_BUNDLED_MODEL)} never occur.
- Loss: InfoNCE, the target of each picture spread evenly over the captions of its batch that are
  true of it, and likewise for each caption.
- {how}:
  {seconds:.0f} seconds on {threads} threads (torch {torch.__version__}, open_clip {open_clip.__version__},
  Python {platform.python_version()}).

## Model
open_clip's ModifiedResNet ({measured.activations} activations with the constant 1,
{measured.embeddings} embedding dimensions) and its text transformer with its own tokenizer;
{megabytes:.1f} MB in half precision.
Logit scale {measured.logit_scale:.2f}. Encoder id `{measured.encoder_id}`.

## Zero-shot, on all 10,000 test pictures
Prompts: {", ".join(f"`{template}`" for template in TEMPLATES)}, averaged.
Accuracy {measured.accuracy:.3f} at a mean confidence of {measured.confidence:.3f};
{measured.seen_accuracy:.3f} on the classes it was trained on.

| class | trained on | accuracy | mean confidence | most often called |
|---|---|---|---|---|
{rows}

## Learning from labels
A logistic regression on the activations, from {PROBE_LABELS:,} random labels of all ten classes
(strength by cross-validation, scikit-learn {sklearn.__version__}), reaches {measured.probe_accuracy:.3f} on
the same pictures.
"""
