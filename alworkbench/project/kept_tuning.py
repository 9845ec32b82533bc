"""Prompts tuned in a job for images of the project, and the newest result kept for screens.

The answers lie in the folder `tuned`, one folder for each choice of settings: the same settings go on where
they stopped. They are those of `alworkbench prompts tune`, which writes its file where it is told to.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import JobKind, ProjectFolder
from alworkbench.core.errors import NotInProject, TimeLimitTooSmall
from alworkbench.core.progress import Progress, silent
from alworkbench.project.prompt_tuning import PreparedTuning, Source
from alworkbench.project.session import Session
from alworkbench.project.template_comparison import marks_of
from alworkbench.project.tuning_effect import TuningEffect, tuning_effect
from alworkbench.prompts.tuning.objectives import OBJECTIVES, find_objective
from alworkbench.prompts.tuning.recipe import TuningRecipe
from alworkbench.prompts.tuning.tuning_settings import DEFAULT_TUNING, TuningSettings
from alworkbench.prompts.tuning.views import DEFAULT_VIEWS, ViewSettings

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

TITLE = "tune prompts"
FORMS = {"csv": "answers.csv", "json": "answers.settings.json"}
"""Files of a result that can be downloaded: its answers and its settings."""
ABOUT = {each.name: each.about for each in OBJECTIVES}
"""What each objective minimises."""
WITHOUT_PENALTY = frozenset(each.name for each in OBJECTIVES if each.penalty is None)
"""Objectives that need images and have no weight."""
SHOWN = 5
"""Unreadable files that are named."""
_NAME = re.compile(r"[0-9a-f]{16}")
_NEWEST, _ESTIMATE = "newest.json", "estimate.json"


class TuningOrder(BaseModel):
    """What is tuned, and how: the options of `alworkbench prompts tune`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source = "pool"
    most: int | None = Field(default=None, ge=1)
    objective: Literal["tpt", "c-tpt", "o-tpt", "a-tpt"] = "c-tpt"
    weight: float | None = Field(default=None, ge=0)
    phrase: str = DEFAULT_TUNING.phrase
    views: int = Field(default=DEFAULT_VIEWS.count, ge=1)
    augmix: bool = False
    seed: int = Field(default=DEFAULT_VIEWS.seed, ge=0)
    without_images: bool = False
    most_seconds: float | None = Field(default=None, ge=0)
    """Nothing is tuned where the estimate is above it."""
    dry_run: bool = False
    """Only estimate the cost."""

    @model_validator(mode="after")
    def _has_penalty(self) -> TuningOrder:
        if self.objective in WITHOUT_PENALTY:
            if self.without_images:
                raise ValueError(f"{self.objective} has no penalty, so it needs images")
            if self.weight is not None:
                raise ValueError(f"{self.objective} has no penalty, so it has no weight")
        return self

    def recipe(self, session: Session) -> TuningRecipe:
        """What decides the answers. Raises FeaturesMissing."""
        views = ViewSettings(count=self.views, augmix=self.augmix, seed=self.seed)
        return TuningRecipe(
            session.encoder_record().id,
            session.classes().names,
            find_objective(self.objective),
            TuningSettings(phrase=self.phrase, weight=self.weight),
            None if self.without_images else views,
        )


@dataclass(frozen=True, slots=True)
class TuningEstimate:
    """What an order will cost."""

    order: TuningOrder
    at: datetime
    images: int
    """Images without an answer."""
    known: int
    """Images that have an answer."""
    views: int
    """Views to encode."""
    seconds: float
    """Without reading files; 0 where no image needs its views."""
    cache_bytes: int


@dataclass(frozen=True, slots=True)
class KeptTuning:
    """The result of an order."""

    order: TuningOrder
    name: str
    """Of the folder of its answers."""
    by: str
    at: datetime
    answered: int
    known: int
    """Images that had an answer before."""
    unreadable: int
    faults: tuple[str, ...]
    """The first unreadable files, each with the reason."""
    cut: tuple[str, ...]
    """Classes whose prompt the model cannot read to its end."""
    effect: TuningEffect
    marks: dict[str, str]
    """Of what the figures depend on, when they were computed: see `marks_of`."""

    def changed(self, session: Session) -> tuple[str, ...]:
        """What of it has changed since, such as `the classes`."""
        now = marks_of(session)
        return tuple(what for what, mark in now.items() if self.marks.get(what) != mark)


def tune_and_keep(workbench: Workbench, order: TuningOrder, progress: Progress = silent) -> None:
    """Carry out an order in a job, and keep its result, or the cost alone for a dry run.

    Raises what `PromptTuning.prepare` raises, TimeLimitTooSmall, and JobRuns.
    """
    session = workbench.session
    with session.jobs.claim(JobKind.TUNE, lambda: TITLE, progress) as told:
        told("measuring the cost", 0, 0)
        recipe, folder = order.recipe(session), session.folder.tuned
        name = _name_of(recipe, order.source)
        prepared = workbench.tuning.prepare(
            folder / name / FORMS["csv"],
            objective=recipe.objective,
            tuning=recipe.tuning,
            views=recipe.views,
            source=order.source,
            most=order.most,
        )
        estimate = _estimated(session, order, prepared)
        folder.mkdir(exist_ok=True)
        write_atomically(folder / _ESTIMATE, TypeAdapter(TuningEstimate).dump_json(estimate))
        if order.dry_run:
            return
        if order.most_seconds is not None and estimate.seconds > order.most_seconds:
            mend = "take fewer images, or tune once for the class list"
            raise TimeLimitTooSmall(estimate.seconds, order.most_seconds, mend, "Raise the limit")
        marks = marks_of(session)
        report = prepared.run(told)
        told("comparing with the present prompts", 0, 0)
        job = session.jobs.held(JobKind.TUNE)
        found = KeptTuning(
            order=order,
            name=name,
            by="" if job is None else job.asked_by,
            at=session.now(),
            answered=report.answered,
            known=report.known,
            unreadable=len(report.unreadable),
            faults=tuple(f"{each.path}: {each.detail}" for each in report.unreadable[:SHOWN]),
            cut=prepared.cut_names,
            effect=tuning_effect(session, prepared),
            marks=marks,
        )
        write_atomically(folder / _NEWEST, TypeAdapter(KeptTuning).dump_json(found))


def newest_tuning(folder: ProjectFolder) -> KeptTuning | None:
    """The newest result; None before the first, and where its file cannot be read."""
    with suppress(OSError, ValueError):
        return TypeAdapter(KeptTuning).validate_json((folder.tuned / _NEWEST).read_bytes())
    return None


def newest_estimate(folder: ProjectFolder) -> TuningEstimate | None:
    """The newest estimate of a cost; None before the first, and where its file cannot be read."""
    with suppress(OSError, ValueError):
        return TypeAdapter(TuningEstimate).validate_json((folder.tuned / _ESTIMATE).read_bytes())
    return None


def tuned_file(folder: ProjectFolder, name: str, form: str) -> Path:
    """A file of a result in one of FORMS. Raises NotInProject."""
    place = folder.tuned / name / FORMS.get(form, "")
    if not _NAME.fullmatch(name) or not place.is_file():
        raise NotInProject("tuning", name)
    return place


def _name_of(recipe: TuningRecipe, source: Source) -> str:
    text = json.dumps([source, recipe.record()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _estimated(session: Session, order: TuningOrder, prepared: PreparedTuning) -> TuningEstimate:
    cost, left = prepared.cost(), len(prepared.left)
    return TuningEstimate(
        order=order,
        at=session.now(),
        images=left,
        known=len(prepared.images) - left,
        views=0 if cost is None else cost.views,
        seconds=0.0 if cost is None else cost.seconds,
        cache_bytes=prepared.cache_bytes,
    )
