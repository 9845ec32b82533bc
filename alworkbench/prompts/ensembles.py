"""Predictions of one template and of an ensemble of templates, in three spaces.

With u_tc the unit text embedding of class c in template t, v_n the unit embedding of image n, and s the logit
scale, each template gives the logits z_tnc = s <v_n, u_tc> (+ bias):

    features        softmax of s <v_n, normalised mean_t u_tc>     one classifier, as projects use it
    logits          softmax of mean_t z_tnc                        the mean u_tc is not normalised again
    probabilities   mean_t softmax(z_tnc)                          less sure where templates disagree

The first is the ensemble of open_clip and of Radford et al., 2021, arXiv:2103.00020.

Dimensions used in this file
    N  images
    T  templates
    C  classes
    Q  text activation size
    D  embedding size
    K  classifiers
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from alworkbench.encoders.head import Features, Head, ensemble_prompts

Space = Literal["features", "logits", "probabilities"]
SPACES: tuple[Space, ...] = get_args(Space)
"""Where the templates of an ensemble are averaged."""


def class_ensemble(head: Head, activations: Float[Tensor, "T C Q"]) -> Float[Tensor, "C Q"]:
    """One text activation for each class: the ensemble in feature space, as a project uses it."""
    templates, classes, _ = activations.shape
    class_of = torch.arange(classes, device=activations.device).repeat(templates)
    return ensemble_prompts(head, activations.flatten(0, 1), class_of)


def unit_texts(head: Head, activations: Float[Tensor, "*T C Q"]) -> Float[Tensor, "*T C D"]:
    """Text embeddings of length 1."""
    return normalize(activations @ head.text_projection.T, dim=-1)


def unit_images(head: Head, features: Features) -> Float[Tensor, "N D"]:
    """Image embeddings of length 1."""
    return normalize(head.embed_images(features), dim=-1)


def probabilities_of(
    head: Head, images: Float[Tensor, "N D"], texts: Float[Tensor, "C D"]
) -> Float[Tensor, "N C"]:
    """Zero-shot class probabilities of unit images; the texts may be shorter than 1.

    The bias of the logits cancels in the softmax over classes.
    """
    return (head.logit_scale * images @ texts.T).softmax(dim=-1)


def ensemble_texts(
    head: Head, activations: Float[Tensor, "T C Q"], space: Space
) -> Float[Tensor, "K C D"]:
    """Classifiers whose mean probabilities are those of an ensemble; K is 1, or T for probabilities.

    Logits are linear in the text embedding, so that their mean is the logit of the mean embedding.
    """
    if space == "features":
        return unit_texts(head, class_ensemble(head, activations))[None]
    texts = unit_texts(head, activations)
    return texts.mean(dim=0, keepdim=True) if space == "logits" else texts


def mean_probabilities(
    head: Head, images: Float[Tensor, "N D"], texts: Float[Tensor, "K C D"]
) -> Float[Tensor, "N C"]:
    """Mean of the class probabilities of K classifiers for unit images."""
    # Not all classifiers at once: K N C numbers would need much memory.
    total = probabilities_of(head, images, texts[0])
    for text in texts[1:]:
        total = total + probabilities_of(head, images, text)
    return total / len(texts)


def ensemble_probabilities(
    head: Head,
    images: Float[Tensor, "N D"],
    activations: Float[Tensor, "T C Q"],
    space: Space,
) -> Float[Tensor, "N C"]:
    """Class probabilities of unit images under all templates together."""
    return mean_probabilities(head, images, ensemble_texts(head, activations, space))
