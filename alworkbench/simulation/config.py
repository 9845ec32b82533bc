"""The parameters of a simulation: one model for flags, plan files and Python.

    data: [glyphs, digits]          # or project, images (and test), features
    strategies: [random, margin, coverage]
    seeds: 10
    labels: 100
    batch: [5, 10]
    noise: 0.1

`SimulationConfig` has a field for each word. Paths in a plan file are relative to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from alworkbench.core.domain import (
    BASELINE_METHODS,
    BASELINE_STRATEGY,
    DEFAULT_ADAPTATION,
    DEFAULT_STRATEGY,
    Goal,
)
from alworkbench.core.errors import InvalidPlan, did_you_mean
from alworkbench.simulation.plan_file import read_plan_file
from alworkbench.simulation.plan_values import (
    MOST,
    OWN,
    UP_TO_MOST,
    Count,
    Counts,
    Names,
    NamesOrNone,
    Noise,
    Number,
    Place,
    Positive,
    Seconds,
    Share,
    Text,
)

if TYPE_CHECKING:
    from alworkbench.simulation.plan import Plan

SAMPLE = "sample"
"""Value of `truth`: the labels of the bundled sample."""
SOURCES = ("data", "images", "features", "project")
PATHS = frozenset({"images", "test", "features", "project", "truth", "out"})
BELONGS_TO = {"test": "images", "encoder": "images", "truth": "project"}


def _word(default: Any, what: str, needed: str) -> Any:
    """A field: its default, its help text, and the values that it takes, for error messages."""
    return Field(default, description=what, json_schema_extra={"needed": needed})


# ----------------------------------------------------------------------------------------- the model


class SimulationConfig(BaseModel):
    """What is simulated, on which data, and where results go. Use `of` or `read` for plain errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Names = _word(
        (),
        "A collection (`alworkbench datasets`); repeatable.",
        "a collection, or a list of them (`alworkbench datasets`)",
    )
    images: Place | None = _word(
        None,
        "A folder with a folder for each class, a manifest or an archive.",
        "a folder with a folder for each class",
    )
    test: Place | None = _word(
        None,
        "The same for the test part. Without it, 30 % of each class in --images.",
        "a folder like that of images, for the test part",
    )
    encoder: Text = _word(
        "bundled", "Encoder for --images.", "bundled, ARCH:TAG, or ARCH:path/to/weights"
    )
    features: Place | None = _word(None, "A labelled features file (.npz).", "a features file")
    project: Place = _word(
        Path(),
        "Folder of a project. Used if no other source is given; then by default "
        "$ALWORKBENCH_PROJECT, or the current folder.",
        "the folder of a project",
    )
    truth: Text | None = _word(
        None,
        "A manifest (label, split, sha256) of the project's images, or `sample`. Without it, the "
        "project's own labels.",
        "a manifest with label, split and sha256, or sample",
    )
    strategies: Names = _word(
        ("random", "entropy", "margin", DEFAULT_STRATEGY),
        "A strategy (`alworkbench strategies`); repeatable.",
        "a strategy, or a list of them (`alworkbench strategies`)",
    )
    adaptations: Names = _word(
        (DEFAULT_ADAPTATION,),
        "How the model learns from labels; repeatable.",
        "an adaptation, or a list of them",
    )
    baselines: NamesOrNone = _word(
        BASELINE_METHODS,
        "A learning method with which `random` is run too, as a baseline of labels alone; repeatable. "
        "By default, if `random` is among the strategies, the two that are shown.",
        "an adaptation, a list of them, or an empty list for none",
    )
    batch: Counts = _word(
        (10,),
        "Images in a batch; repeatable.",
        f"a number of images from 1 to {UP_TO_MOST}, or a list of such",
    )
    seeds: Count = _word(
        3,
        "Repetitions. All arms share the seeds, so they are paired.",
        f"a number of repetitions from 1 to {UP_TO_MOST}",
    )
    labels: Count = _word(
        100, "Images that each run asks.", f"a number of images from 1 to {UP_TO_MOST}"
    )
    audit: Annotated[int, Field(strict=True, ge=0, le=MOST)] = _word(
        0,
        "Images drawn as an audit set first. They are paid for.",
        f"a number of images from 0 to {UP_TO_MOST}",
    )
    pool_fraction: Annotated[Number, Field(gt=0, le=1)] = _word(
        2 / 3, "Share of the pool that each seed sees.", "a share above 0, up to 1"
    )
    goal: Goal = _word(Goal.BALANCED, "What strategies optimise.", f"one of {', '.join(Goal)}")
    noise: Noise = _word(
        0.0,
        "Share of wrong answers; a plan file may give a confusion matrix.",
        "a share from 0 to below 1, or a confusion matrix",
    )
    skip: Share = _word(0.0, "Share of images that are skipped.", "a share from 0 to below 1")
    seconds: Seconds = _word(
        (),
        "Seconds that an answer takes; repeatable, drawn at random. `own`: the recorded times of "
        "the project's labels.",
        f"seconds an answer takes (above 0, up to {UP_TO_MOST}), a list of such, or own",
    )
    transductive: StrictBool = _word(
        False,
        "Strategies may look at the test images, never at their labels; reports say so.",
        "true or false",
    )
    strength_image: Positive | None = _word(
        None,
        "Factor on the posterior precision of the image projection.",
        f"a number above 0, up to {UP_TO_MOST}",
    )
    strength_text: Positive | None = _word(
        None,
        "Factor on the posterior precision of the text projection.",
        f"a number above 0, up to {UP_TO_MOST}",
    )
    processes: Count | None = _word(
        None,
        "Runs at the same time; by default one for each core.",
        f"a number of processes from 1 to {UP_TO_MOST}",
    )
    out: Place | None = _word(
        None,
        "Folder for the results. A project keeps them, and its page of simulations shows them.",
        "a folder",
    )

    @model_validator(mode="after")
    def _one_source(self) -> SimulationConfig:
        found = [name for name in SOURCES if name in self.model_fields_set]
        if len(found) > 1:
            raise ValueError(
                f"names {' and '.join(found)}: give one of data, images, features or project"
            )
        for name, source in BELONGS_TO.items():
            if name in self.model_fields_set and found and source not in found:
                raise ValueError(f"says {name}, which belongs to {source}, not to {found[0]}")
        if self.own_seconds and found not in ([], ["project"]):
            raise ValueError("says seconds: own, which belongs to a project")
        return self

    @classmethod
    def of(cls, words: Mapping[str, Any], where: str = "The plan") -> SimulationConfig:
        """The configuration with these words; None stands for the default.

        `where` names the source in messages. Raises InvalidPlan for unknown words and wrong values.
        """
        try:
            return cls(**{name: value for name, value in words.items() if value is not None})
        except ValidationError as error:
            raise InvalidPlan(f"{where} {_complaint(error)}") from error

    @classmethod
    def read(cls, path: Path, words: Mapping[str, Any] | None = None) -> SimulationConfig:
        """The configuration in a plan file; `words` replace those of the file. Raises InvalidPlan."""
        found = read_plan_file(path)
        for name in found.keys() & PATHS:
            if isinstance(found[name], str) and found[name] != SAMPLE:
                found[name] = str(path.parent / Path(found[name]).expanduser())
        return cls.of({**found, **(words or {})}, str(path))

    def words(self) -> dict[str, Any]:
        """What was given, as a JSON value that `of` reads."""
        return self.model_dump(mode="json", exclude_unset=True)

    @property
    def own_seconds(self) -> bool:
        """Whether answers take the recorded times of the project's labels."""
        return self.seconds == OWN

    @property
    def plan(self) -> Plan:
        """The plan of the runs. With `own_seconds`, its oracle has no times yet."""
        from alworkbench.acquisition.strategy_cards import resolve
        from alworkbench.adaptation.adaptation_settings import Strengths
        from alworkbench.simulation.plan import OraclePlan, Plan

        strengths = {"image": self.strength_image, "text": self.strength_text}
        strategies = tuple(resolve(name) for name in self.strategies)
        wanted = "baselines" in self.model_fields_set or BASELINE_STRATEGY in strategies
        return Plan(
            strategies=strategies,
            adaptations=self.adaptations,
            baselines=self.baselines if wanted else (),
            batch_sizes=self.batch,
            seeds=self.seeds,
            labels=self.labels,
            audit=self.audit,
            pool_fraction=self.pool_fraction,
            goal=self.goal,
            transductive=self.transductive,
            oracle=OraclePlan(
                self.noise, self.skip, () if isinstance(self.seconds, str) else self.seconds
            ),
            strengths=Strengths(**{k: v for k, v in strengths.items() if v is not None}),
        )


def needed(name: str) -> str:
    """The values that a word takes."""
    extra = SimulationConfig.model_fields[name].json_schema_extra
    return str(extra["needed"]) if isinstance(extra, dict) else ""


def _complaint(error: ValidationError) -> str:
    """The first fault: what was found, and what is needed."""
    faults = error.errors()
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    detail = str(fault.get("ctx", {}).get("error", ""))
    if not fault["loc"]:
        return f"{detail}."
    name = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        near = did_you_mean(name, SimulationConfig.model_fields)
        return f"says {name!r}, which is no word of a plan.{near} {_known_words()}"
    return (
        f"says {name}: {str(fault['input'])[:200]!r}; needed is {needed(name)}"
        f"{f' ({detail})' if detail else ''}."
    )


def _known_words() -> str:
    return f"Its words are {', '.join(SimulationConfig.model_fields)}."
