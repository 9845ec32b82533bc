"""Logits of the labelled images under each kind of prompts, plain and probit.

Every kind uses the same image features, those that the project's own predictions use. A tuned context
changes the text side alone: its activations before the projection give the mean and the posterior
variance of the logits of its image. The activation of an ensemble is the mean of psi / |V psi| over its
templates (`encoders.head.ensemble_prompts`), which is linear in the projection, so that the same variance
holds. The posterior is used as it was fitted.

Dimensions used in this file
    m  labelled images
    T  templates
    C  classes
    Q  text activation size
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.calibration_study.material import StudyMaterial
from alworkbench.calibration_study.plan import PromptKind, StudySettings
from alworkbench.core.progress import Progress, silent
from alworkbench.posterior.predictive import logit_moments, probit_logits
from alworkbench.prompts.ensembles import class_ensemble
from alworkbench.prompts.tuning.predictor import TuningPredictor


@dataclass(frozen=True, slots=True)
class PromptLogits:
    """What one kind of prompts says about the labelled images."""

    kind: PromptKind
    words: str
    """The prompts in words, such as the template."""
    prompts: int
    """Prompts that are encoded once for the class list."""
    plain: Float[Tensor, "m C"]
    probit: Float[Tensor, "m C"]
    seconds_plain: tuple[float, ...]
    """Of each image: tuning and prediction, without encoding the image or its views."""
    seconds_probit: tuple[float, ...]


def fixed_prompts(
    material: StudyMaterial,
    settings: StudySettings,
    single: Float[Tensor, "C Q"],
    activations: Float[Tensor, "T C Q"],
    chosen: str,
) -> Iterator[PromptLogits]:
    """Kinds of prompts that are the same for every image.

    `single` are the activations of the single template, `activations` those of the templates of the
    settings, `chosen` the one of them that was chosen without labels.
    """
    place = settings.templates.index(chosen)
    given = material.classes.classes
    templates, classes = len(settings.templates), len(given)
    own = {each.templates for each in given}
    of_class_list = (
        " | ".join(own.pop()) if len(own) == 1 else "templates of their own for some classes"
    )
    known: Mapping[PromptKind, tuple[str, int, Tensor]] = {
        PromptKind.PRESENT: (
            of_class_list,
            sum(len(each.templates) for each in given),
            material.present,
        ),
        PromptKind.SINGLE: (settings.single_template, classes, single),
        PromptKind.ENSEMBLE: (
            f"{templates} templates, averaged in feature space",
            templates * classes,
            class_ensemble(material.head, activations),
        ),
        # All templates are encoded in order to choose one.
        PromptKind.ATFD: (chosen, templates * classes, activations[place]),
    }
    for kind in settings.kinds:
        if not kind.tuned:
            yield _fixed(material, kind, *known[kind])


def tuned_prompts(
    material: StudyMaterial,
    kind: PromptKind,
    predictor: TuningPredictor,
    phrase: str,
    progress: Progress = silent,
) -> PromptLogits:
    """Prompts that are tuned for each image. Views that are in the cache are not encoded again."""
    plain, probit = [], []
    seconds: tuple[list[float], list[float]] = [], []
    for at, image in enumerate(material.images):
        began = time.perf_counter()
        (answer,) = predictor.predict([image])
        texts = answer.prompts.activations.cpu().float()
        tuned = time.perf_counter()
        row = slice(at, at + 1)
        plain.append(material.head.logits(material.features[row], texts))
        told = time.perf_counter()
        probit.append(_probit(material, row, texts))
        seconds[0].append(told - began)
        seconds[1].append(tuned - began + time.perf_counter() - told)
        progress(f"tuning prompts: {kind.value}", at + 1, len(material))
    return PromptLogits(
        kind,
        f"“{phrase} {{}}.”, its context tuned for each image",
        len(material.classes),
        torch.cat(plain).double(),
        torch.cat(probit).double(),
        tuple(seconds[0]),
        tuple(seconds[1]),
    )


def _fixed(
    material: StudyMaterial,
    kind: PromptKind,
    words: str,
    prompts: int,
    texts: Float[Tensor, "C Q"],
) -> PromptLogits:
    began = time.perf_counter()
    plain = material.head.logits(material.features, texts)
    told = time.perf_counter()
    probit = _probit(material, slice(None), texts)
    ended = time.perf_counter()
    count = len(material)
    return PromptLogits(
        kind,
        words,
        prompts,
        plain.double(),
        probit.double(),
        ((told - began) / count,) * count,
        ((ended - told) / count,) * count,
    )


def _probit(
    material: StudyMaterial, rows: slice, texts: Float[Tensor, "C Q"]
) -> Float[Tensor, "_ C"]:
    features = material.features[rows]
    return probit_logits(logit_moments(material.head, material.posterior, features, texts))
