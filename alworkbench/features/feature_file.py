"""Features of a model that open_clip does not know, brought as one file: `--features FILE.npz`.

The file is what `numpy.savez` (or `savez_compressed`) writes, with these arrays. Numbers are float16,
float32 or float64, each array of its own type and byte order; they are read as float32. Only a table of
features in float16 (activations, and residuals if there are any) is kept so, which halves its memory,
and becomes float32 block by block. Integers are of any width; texts are unicode arrays, never objects.

A logit is a cosine, so an embedding needs a direction. Images and pairs whose numbers are not finite in
float32, or whose embedding has length zero, are set aside on reading: the rest of the file is used, and
`unusable` names each row with the reason. All other numbers must be finite, and classes need a direction.

    N images    P image activation size    D embedding size    T prompts    Q text activation size
    C classes   n pairs

    array                  shape    what it is
    ---------------------  -------  ----------------------------------------------------------------
    activations            N P      what goes into the last linear layer of the image tower; if the
                                    layer has a bias, with a constant 1 as the last activation
    projection             D P      that layer, with its bias as the last column
    text_projection        D Q      the last linear layer of the text tower, likewise
    prompt_activations     T Q      what goes into it, one row a prompt; every class needs a prompt
    prompt_classes         T        integer: the class of the prompt, 0 to C - 1
    class_names            C        text: 2 or more, all different
    logit_scale            (none)   s > 0, the exponential of the learned parameter (100 for CLIP)
    paths and/or hashes    N        text: where each image lies (relative or absolute), and the
                                    SHA-256 of its file (64 hexadecimal digits); all different

    and, where they apply:
    residuals              N D      what is added to projection @ activations (SigLIP towers)
    logit_bias             (none)   added to every logit (SigLIP); 0 if not given
    loss                   (none)   text: "infonce" (if not given) or "siglip", what it was trained with
    labels                 N        integer: the class of the image, -1 where it is not known, or -2
                                    for an image of the pool that none of the classes fits
    split                  N        text: "pool" or "test"; all "pool" if not given
    pair_activations       n P      image side of training pairs, from which a posterior is fitted;
                                    without, it is fitted from the pool: an approximation
    pair_residuals         n D      needed with pair_activations if there are residuals
    pair_text_activations  n Q      text side of the same pairs
    encoder                (none)   text: the name of the model
    role                   (none)   text: "dev" if recipes are chosen on these images, "report" if
                                    they are looked at for final tables only, "own" (if not given)

The logit of image i and class c is s * cos(projection @ activations[i] + residuals[i],
text_projection @ prompt_activations[c]) + logit_bias, prompts of one class averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor

from alworkbench.core.domain import FROM_FILE
from alworkbench.encoders.base import encoder_id
from alworkbench.encoders.head import Features, Head, ensemble_prompts
from alworkbench.features.usable_rows import UnusableRow

Split = Literal["pool", "test"]
CollectionRole = Literal["dev", "report", "own"]
NEEDED = (
    "activations",
    "projection",
    "text_projection",
    "prompt_activations",
    "prompt_classes",
    "class_names",
    "logit_scale",
)
OPTIONAL = (
    "paths",
    "hashes",
    "residuals",
    "logit_bias",
    "loss",
    "labels",
    "split",
    "pair_activations",
    "pair_residuals",
    "pair_text_activations",
    "encoder",
    "role",
)
KNOWN = NEEDED + OPTIONAL


@dataclass(frozen=True)
class TrainingPairFeatures:
    """Both sides of n image-caption pairs, before the projections."""

    images: Features
    texts: Float[Tensor, "n Q"]


@dataclass(frozen=True)
class FeatureFile:
    """Everything that such a file says, checked."""

    encoder: str
    head: Head
    features: Features
    class_names: tuple[str, ...]
    prompt_activations: Float[Tensor, "T Q"]
    prompt_classes: Int64[Tensor, "T"]
    paths: tuple[str, ...] | None = None
    hashes: tuple[str, ...] | None = None
    """At least one of the two is given."""
    labels: Int64[Tensor, "N"] | None = None
    """-1 where the class is not known, NO_CLASS (in the pool alone) where none fits."""
    split: tuple[Split, ...] | None = None
    pairs: TrainingPairFeatures | None = None
    role: CollectionRole = "own"
    unusable: tuple[UnusableRow, ...] = ()
    """Rows of the file that were set aside on reading; nothing else of this value holds them."""

    @property
    def spec(self) -> str:
        """How the project names the encoder of this file."""
        return f"{FROM_FILE}{self.encoder}"

    @cached_property
    def encoder_id(self) -> str:
        """Hash of the head and the name: other projections are another encoder."""
        description = {
            "features": self.encoder,
            "logit_scale": self.head.logit_scale,
            "logit_bias": self.head.logit_bias,
            "loss": self.head.loss,
        }
        projections = {"image": self.head.image_projection, "text": self.head.text_projection}
        return encoder_id(self.encoder, description, projections)

    @property
    def class_activations(self) -> Float[Tensor, "C Q"]:
        """One effective text activation per class, its prompts averaged as embeddings."""
        return ensemble_prompts(self.head, self.prompt_activations, self.prompt_classes)
