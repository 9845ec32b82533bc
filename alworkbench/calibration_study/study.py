"""A comparison of calibrations: prepare it, look at its cost, run it.

Nothing is written but two caches: the features of views and the activations of prompts. An interrupted run
goes on from them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import torch

from alworkbench.adaptation.temperature_record import class_list_digest
from alworkbench.calibration_study.dispersion_correlation import (
    Correlation,
    correlation,
    near_the_best,
)
from alworkbench.calibration_study.material import StudyMaterial
from alworkbench.calibration_study.plan import PromptKind, StudySettings
from alworkbench.calibration_study.predictions import (
    PromptLogits,
    fixed_prompts,
    tuned_prompts,
)
from alworkbench.calibration_study.result import PromptFacts, StudyResult
from alworkbench.calibration_study.rows import RowMaker
from alworkbench.calibration_study.seconds import TIMED, EncodingSeconds, encoding_seconds
from alworkbench.core.domain import QuarantinedFile
from alworkbench.core.errors import EncoderMismatch, InvalidInitPhrase, PromptsNotTunable
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import versions
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.context_length import cut_prompts
from alworkbench.encoders.loading import LoadedModel, load_model
from alworkbench.features.prompts import encode_missing
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.picture import Undecodable
from alworkbench.project.artifacts import load_project_encoder
from alworkbench.project.class_texts import WITHOUT_ENCODER
from alworkbench.prompts.audit_figures import AuditPart
from alworkbench.prompts.ensembles import unit_images
from alworkbench.prompts.ranking import TemplateFigures, rank_templates
from alworkbench.prompts.template_prompts import prompts_of_templates, template_activations
from alworkbench.prompts.tuning.objectives import C_TPT, TPT
from alworkbench.prompts.tuning.predictor import TuningPredictor
from alworkbench.prompts.tuning.view_features import ViewCache, view_features

OBJECTIVES = {PromptKind.TPT: TPT, PromptKind.C_TPT: C_TPT}
PROBE_PROMPTS = 4
"""Prompts that are encoded to estimate the cost of all."""


@dataclass(frozen=True, slots=True)
class StudyCost:
    """What a comparison will cost, measured on this machine before it starts."""

    images: int
    views: int
    """Views that must be encoded."""
    prompts: int
    """Prompts that must be encoded."""
    seconds: float
    """Without reading files; another load of the machine changes it."""


@dataclass(frozen=True, slots=True)
class PreparedStudy:
    """A comparison that is ready to run."""

    material: StudyMaterial
    """The sample of labelled images."""
    labelled: int
    settings: StudySettings
    encoder: Encoder
    model: LoadedModel | None
    """None where no prompts are tuned."""
    predictors: Mapping[PromptKind, TuningPredictor]
    cache: ViewCache
    store: FeatureStore
    missing: tuple[str, ...]
    device: torch.device

    @property
    def prompts(self) -> list[str]:
        """Every prompt that must be encoded once."""
        templates = (self.settings.single_template, *self.settings.templates)
        return prompts_of_templates(self.material.classes.names, templates)

    def cost(self) -> StudyCost:
        """What `run` costs. Encodes a few prompts and views: seconds for a large model."""
        images = len(self.material)
        missing = self.store.missing_prompts(self.prompts)
        probe = missing[:PROBE_PROMPTS]
        began = time.perf_counter()
        if probe:
            self.encoder.encode_prompts(probe).cpu()
        seconds = (time.perf_counter() - began) * len(missing) / max(1, len(probe))
        cached = sum(each.content_hash in self.cache for each in self.material.images)
        views = 0
        for place, predictor in enumerate(self.predictors.values()):
            known = cached if place == 0 else images  # views are encoded for the first kind only
            found = predictor.cost(images, known)
            seconds += found.seconds
            if place == 0:
                # The timed images are encoded again.
                again = min(TIMED, images) * self.settings.views
                views = found.views + again
                seconds += again * found.seconds_view
        return StudyCost(images, views, len(missing), seconds)

    def run(self, created_at: datetime, progress: Progress = silent) -> StudyResult:
        """Compute every row. A picture that cannot be read is left out of all rows and reported.

        Raises TooFewLabels if too few pictures can be read.
        """
        kept, unreadable = self._readable(progress)
        material, settings = self.material.readable(kept), self.settings
        head, classes, names = material.head, material.classes, material.classes.names
        encode_missing(self.store, self.encoder, self.prompts, progress)
        activations = template_activations(self.store, names, settings.templates)
        single = template_activations(self.store, names, (settings.single_template,))[0]
        audit = AuditPart(unit_images(head, material.features), material.labels)
        # The audit part is measured beside the rank; ranking by ATFD does not look at it.
        ranking = rank_templates(
            head, settings.templates, activations, [material.pool], audit, by="atfd"
        )
        chosen = ranking.templates[0].template
        encoding = self._encoding(material)
        found = list(fixed_prompts(material, settings, single, activations, chosen))
        for kind, predictor in self.predictors.items():
            found.append(tuned_prompts(material, kind, predictor, settings.tuning.phrase, progress))
        maker = RowMaker(
            material.labels, material.encoder.id, classes, settings, encoding, created_at
        )
        near = near_the_best(ranking.templates)
        cut = set(cut_prompts(material.encoder.spec, self.prompts))
        return StudyResult(
            name=material.name,
            origin=material.origin,
            role=material.role,
            encoder=material.encoder,
            posterior=_posterior_facts(material),
            classes=names,
            class_list=class_list_digest(classes),
            images=len(material),
            labelled=self.labelled,
            unreadable=unreadable,
            pool=len(material.pool),
            settings=settings,
            rows=maker.rows(found, chosen),
            prompts=tuple(_facts(each, encoding) for each in found),
            missing=self.missing,
            cut_names=tuple(
                name
                for k, name in enumerate(names)
                if not cut.isdisjoint(self.prompts[k :: len(names)])
            ),
            ranking=ranking,
            near_best=tuple(near),
            correlation=_with_ece(near),
            correlation_all=_with_ece(ranking.templates),
            encoding=encoding,
            versions=versions(self.device),
            created_at=created_at,
        )

    def _readable(self, progress: Progress) -> tuple[torch.Tensor, tuple[QuarantinedFile, ...]]:
        """Which pictures can be read. With tuning, the features of their views are cached on the way."""
        kept = torch.ones(len(self.material), dtype=torch.bool)
        unreadable = []
        what = "reading pictures" if self.model is None else "encoding views"
        for at, image in enumerate(self.material.images):
            try:
                if self.model is None:
                    image.read()
                else:
                    view_features(
                        self.model.model, self.model.preprocess, image,
                        self.settings.view_settings, self.cache,
                    )  # fmt: skip
            except Undecodable as error:
                kept[at] = False
                unreadable.append(QuarantinedFile(image.content_hash, error.code, error.detail))
            progress(what, at + 1, len(self.material))
        return kept, tuple(unreadable)

    def _encoding(self, material: StudyMaterial) -> EncodingSeconds:
        model, views = self.model, self.settings.view_settings
        return encoding_seconds(
            self.encoder,
            material.images,
            self.prompts,
            None
            if model is None
            else lambda image: view_features(model.model, model.preprocess, image, views).cpu(),
        )


def prepare(
    material: StudyMaterial, settings: StudySettings, device: torch.device
) -> PreparedStudy:
    """Draw the labelled images and load what the kinds of prompts need.

    A kind of prompts that this model or class list does not allow is left out, with a sentence that says
    why. Raises TooFewLabels, EncoderMismatch where the model was changed since encoding, and UnknownEncoder
    or EncoderError where it cannot be loaded.
    """
    sample = material.sample(settings.most, settings.seed)
    encoder = load_project_encoder(material.encoder, device, "prompts", WITHOUT_ENCODER)
    kinds, missing = list(settings.kinds), []
    single = all(each.templates == (settings.single_template,) for each in material.classes.classes)
    if single and {PromptKind.PRESENT, PromptKind.SINGLE} <= set(kinds):
        kinds.remove(PromptKind.PRESENT)
        missing.append("The present prompts have no rows of their own: they are the single prompt.")
    cache = ViewCache(material.views, material.encoder.id, settings.view_settings)
    predictors: dict[PromptKind, TuningPredictor] = {}
    model = None
    if wanted := [kind for kind in kinds if kind.tuned]:
        model = load_model(material.encoder.spec, device)
        if model.id != material.encoder.id:
            raise EncoderMismatch("The labelled images", material.encoder.id, model.id)
        try:
            predictors = {
                kind: TuningPredictor(
                    model.model,
                    model.tokenize,
                    model.preprocess,
                    material.classes.names,
                    objective=OBJECTIVES[kind],
                    tuning=settings.tuning,
                    views=settings.view_settings,
                    cache=cache,
                )
                for kind in wanted
            }
        except (PromptsNotTunable, InvalidInitPhrase) as error:
            named = " and ".join(each.value for each in wanted)
            missing.append(f"{named} are missing. {error}")
            kinds, model = [kind for kind in kinds if not kind.tuned], None
            if not kinds:
                raise
    return PreparedStudy(
        sample,
        len(material),
        replace(settings, kinds=tuple(kinds)),
        encoder,
        model,
        predictors,
        cache,
        FeatureStore(material.prompts),
        tuple(missing),
        device,
    )


def _facts(found: PromptLogits, encoding: EncodingSeconds) -> PromptFacts:
    tuning = sum(found.seconds_plain) / len(found.seconds_plain) if found.kind.tuned else None
    once = found.prompts * encoding.prompt
    return PromptFacts(found.kind, found.words, found.prompts, once, tuning)


def _with_ece(templates: Sequence[TemplateFigures]) -> Correlation | None:
    pairs = [(each.atfd, each.audit.ece) for each in templates if each.audit is not None]
    return correlation([atfd for atfd, _ in pairs], [ece for _, ece in pairs])


def _posterior_facts(material: StudyMaterial) -> dict[str, Any]:
    sides = {"image": material.posterior.image, "text": material.posterior.text}
    return {
        name: {
            "pairs": side.pairs,
            "pseudo_data_weight": side.pseudo_data_weight,
            "prior_precision": side.prior_precision,
        }
        for name, side in sides.items()
    }
