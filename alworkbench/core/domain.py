"""The nouns of a labelling effort, as frozen values.

These values cross every border of the program (store, service, screen, command line). They hold no
tensors and import nothing heavy: what is computed with lives in `heads.py` and `features.py`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from alworkbench.core.errors import InvalidClassList


class Role(StrEnum):
    """What an image may be used for. The two sets are disjoint: an image has one role."""

    POOL = "pool"
    """May be asked, and its label learned from."""
    AUDIT = "audit"
    """The honest ruler: labelled, measured on, never learned from."""


class Goal(StrEnum):
    """What strategies work for."""

    ACCURACY = "accuracy"
    """Every image counts alike."""
    BALANCED = "balanced"
    """Every class counts alike, however rare it is in the pool."""


class AnswerKind(StrEnum):
    """What an answer says: a class, no class (skipped), or that nobody can tell."""

    CLASS = "class"
    SKIP = "skip"
    CANNOT_TELL = "cannot_tell"


NO_CLASS = -2
"""The class index of an image that belongs to none of the classes; -1 stands for an unknown class."""

AUDIT_STRATEGY = "audit"
"""The strategy name of a round that draws the audit set at random."""


class RoundState(StrEnum):
    """Whether a round still takes answers."""

    OPEN = "open"
    CLOSED = "closed"


class QuarantineCode(StrEnum):
    """Why a file could not be used. Only `IO` is worth trying again."""

    UNIDENTIFIED = "unidentified"
    TRUNCATED = "truncated"
    BOMB = "bomb"
    IO = "io"
    TIMEOUT = "timeout"
    CRASH = "crash"
    NONFINITE = "nonfinite"


# --------------------------------------------------------------------------------------- the pool


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A readable picture that a reader met, before the store knows it."""

    hash: str
    """SHA-256 of the file's bytes, 64 hexadecimal digits."""
    path: str
    """Relative to the source it was found in, with forward slashes."""
    bytes: int
    width: int
    height: int
    class_name: str | None = None
    """The label that came with it (folder name or manifest), if any."""
    split: str | None = None
    """The part of its data set that a manifest puts it into, such as `pool` or `test`, if any."""


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A file that could not be read, with the reason."""

    path: str
    code: QuarantineCode
    detail: str


@dataclass(frozen=True, slots=True)
class Image:
    """One picture of the pool, known by content. Several files may hold the same picture."""

    id: int
    hash: str
    role: Role
    width: int
    height: int
    paths: tuple[str, ...]
    """Every place it was found, absolute or relative to the project folder; at least one."""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did. `files` = new + known + duplicates + quarantined."""

    files: int
    new: int
    """Images that the project did not know."""
    known: int
    """Files that were imported before, from this very path."""
    duplicates: int
    """Files whose content stands elsewhere already: kept as one more path of that image."""
    quarantined: tuple[QuarantinedFile, ...] = ()
    labelled: int = 0
    """Labels that came with the files and were recorded."""


# ------------------------------------------------------------------------------------ the classes

DEFAULT_TEMPLATES = ("a photo of a {}.",)

# One key per class in reading order; c and r belong to Streamlit, the rest to the labelling page.
RESERVED_KEYS = frozenset("crsuz")
CLASS_KEYS = "1234567890" + "".join(k for k in string.ascii_lowercase if k not in RESERVED_KEYS)


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class: what people call it and how the model is asked about it."""

    name: str
    templates: tuple[str, ...] = DEFAULT_TEMPLATES
    """Prompt templates; `{}` stands for the name."""
    id: int | None = None
    """Stable over versions of the class list; given by the store."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """The templates with the name put in."""
        return tuple(template.replace("{}", self.name) for template in self.templates)


@dataclass(frozen=True, slots=True)
class ClassList:
    """The ordered classes of a project. Versioned: adding a class changes every score."""

    classes: tuple[LabelClass, ...]
    id: int | None = None
    """The version; given by the store."""

    def __post_init__(self) -> None:
        names = [c.name for c in self.classes]
        if len(names) < 2:
            raise InvalidClassList(f"A class list needs at least 2 classes, found {len(names)}.")
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InvalidClassList(
                f"These classes are listed twice: {', '.join(sorted(repeated))}."
            )
        for c in self.classes:
            if not c.name.strip() or len(c.name) > 200 or not c.name.isprintable():
                raise InvalidClassList(
                    f"{c.name!r} is no class name: 1 to 200 printable characters are needed."
                )
            if not c.templates or any("{}" not in template for template in c.templates):
                raise InvalidClassList(
                    f"The class {c.name!r} needs templates with {{}} for the name, such as "
                    f"{DEFAULT_TEMPLATES[0]!r}; found {list(c.templates)}."
                )

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order."""
        return tuple(c.name for c in self.classes)

    def key_of(self, position: int) -> str | None:
        """The key that answers with this class, or None past the last key."""
        return CLASS_KEYS[position] if position < len(CLASS_KEYS) else None

    def index_of_id(self, class_id: int) -> int | None:
        """Position of the class with this id; None for an unknown id."""
        return next((i for i, c in enumerate(self.classes) if c.id == class_id), None)

    def with_name(self, name: str) -> LabelClass | None:
        """The class with this name; None for an unknown name."""
        return next((c for c in self.classes if c.name == name), None)


# ------------------------------------------------------------------------------- rounds and labels


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the model would answer, and how sure it is (a probability)."""

    class_id: int
    probability: float


@dataclass(frozen=True, slots=True)
class NewItem:
    """An image of a new round."""

    image_id: int
    score: float | None
    """What the strategy thought of it when it was picked; its unit is the strategy's."""
    suggestion: Suggestion | None
    probability: float | None = None
    """With which probability it was drawn among what was left at its turn. None: not drawn, chosen."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one annotator to answer an item until a time."""

    annotator: str
    token: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """An image asked in a round."""

    id: int
    round_id: int
    image_id: int
    position: int
    score: float | None
    suggestion: Suggestion | None
    lease: Lease | None = None
    label: Label | None = None
    """The answer that counts now, or None while it is open."""
    probability: float | None = None
    """With which probability it was drawn among what was left at its turn. None: not drawn, chosen."""


@dataclass(frozen=True, slots=True)
class Round:
    """One ask-and-tell, recorded so that it can be replayed."""

    id: int
    number: int
    """1, 2, 3, ... within the project."""
    strategy: str
    seed: int
    batch_size: int
    class_list_id: int
    posterior_id: int | None
    learner_id: int | None
    """The learner that ranked; None means the model as it came (zero-shot)."""
    state: RoundState
    opened_at: datetime
    closed_at: datetime | None
    seconds: float
    """How long the ranking took."""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewRound:
    """A round before it is stored."""

    strategy: str
    seed: int
    class_list_id: int
    posterior_id: int | None
    learner_id: int | None
    seconds: float
    items: Sequence[NewItem]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an annotator said of one image, before it is stored.

    `event_id` is made where the answer is given: sending an answer twice records it once.
    """

    event_id: str
    image_id: int
    kind: AnswerKind
    annotator: str
    class_id: int | None = None
    """Given exactly when `kind` is CLASS."""
    item_id: int | None = None
    """The item it answers; None for labels that came from a file."""
    lease_token: str | None = None
    duration_ms: int | None = None
    """From the picture being on screen to the answer."""
    suggested_class_id: int | None = None
    source: str = "browser"
    """browser, csv, manifest or oracle."""

    def __post_init__(self) -> None:
        if (self.kind is AnswerKind.CLASS) != (self.class_id is not None):
            raise ValueError("class_id belongs to an answer of kind CLASS, and to no other")


@dataclass(frozen=True, slots=True)
class Label:
    """A stored answer. Labels are added, never overwritten: a correction is a newer label."""

    id: int
    event_id: str
    image_id: int
    kind: AnswerKind
    class_id: int | None
    annotator: str
    item_id: int | None
    recorded_at: datetime
    duration_ms: int | None
    suggested_class_id: int | None
    source: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The record that a label no longer counts."""

    id: int
    """In the order in which labels were taken back."""
    label_id: int
    event_id: str
    annotator: str
    recorded_at: datetime


# ------------------------------------------------------------------------------- what was computed


@dataclass(frozen=True, slots=True)
class EncoderRecord:
    """An encoder as the project knows it."""

    id: str
    """Hash of architecture, weights, preprocessing and dtype."""
    spec: str
    """What the user wrote: `bundled`, `ARCH:TAG`, `ARCH:path` or `features:NAME`."""


@dataclass(frozen=True, slots=True)
class PosteriorRecord:
    """A posterior of the project and where it lies."""

    id: int
    encoder_id: str
    file: str
    """Relative to the project folder."""
    created_at: datetime
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """A learner of the project and where it lies."""

    id: int
    round_id: int
    """The round whose labels it learned last."""
    posterior_id: int
    class_list_id: int
    file: str
    labels: int
    created_at: datetime
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """What the audit set says of a learner; `round_number` 0 is the model as it came."""

    round_number: int
    learner_id: int | None
    labels: int
    """Labels learned from."""
    audit_images: int
    values: Mapping[str, Any]
    measured_at: datetime


# ------------------------------------------------------------------------------------ the project

DEFAULT_STRATEGY = "coverage"
"""What a user gets without choosing; chosen on the data sets marked dev, see acquisition/README.md."""

DEFAULT_ADAPTATION = "free-weights"
"""How labels change the model without anyone choosing; chosen on the data sets marked dev."""


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """What a user decides about a project; stored with it."""

    name: str
    encoder: str = "bundled"
    strategy: str = DEFAULT_STRATEGY
    batch_size: int = 10
    seed: int = 0
    goal: Goal = Goal.BALANCED
    adaptation: str = DEFAULT_ADAPTATION
    """How labels change the model; see `adaptation.registry`."""


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """Where everything of one project lies. Copy the folder and it works elsewhere."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "project.db"

    @property
    def images(self) -> Path:
        """Pictures unpacked from archives; folders are read where they are."""
        return self.path / "images"

    @property
    def features(self) -> Path:
        """Features of images and prompts, a folder for each encoder."""
        return self.path / "features"

    @property
    def posteriors(self) -> Path:
        """Posterior files."""
        return self.path / "posteriors"

    @property
    def learners(self) -> Path:
        """Learner files."""
        return self.path / "learners"

    @property
    def thumbnails(self) -> Path:
        """Small pictures for the screens."""
        return self.path / "thumbnails"

    @property
    def simulations(self) -> Path:
        """Results of simulations on this project."""
        return self.path / "simulations"


# ------------------------------------------------------------------------------------ simulations


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of working that is compared with others: everything of a run but its seed."""

    strategy: str
    adaptation: str = DEFAULT_ADAPTATION
    batch_size: int = 10

    def words(self, others: tuple[Arm, ...] = ()) -> str:
        """Its name, with only what tells it from the others."""
        parts = [self.strategy]
        if any(other.adaptation != self.adaptation for other in others):
            parts.append(self.adaptation)
        if any(other.batch_size != self.batch_size for other in others):
            parts.append(f"batches of {self.batch_size}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class SimulationRecord:
    """A finished simulation, as a store knows it; its points are kept beside it."""

    key: str
    """Names plan, data and code: another of them is another simulation."""
    name: str
    created_at: datetime
    plan: Mapping[str, Any]
    facts: Mapping[str, Any]
    """What its figures must be read with: data set, sizes, versions."""


@dataclass(frozen=True, slots=True)
class SimulationPoint:
    """One learner of one run, measured on the test part: what one round came to.

    Round 0 is the model as it came. Everything is per round but `labels`, `paid` and `asked`, which
    count from the start.
    """

    arm: Arm
    seed: int
    round: int
    labels: int
    """Labels learned from."""
    paid: int
    """Images paid for: every one asked, whether or not it taught anything, and the audit set. The
    honest horizontal axis: a skipped image costs an annotator as well."""
    asked: int
    """Images shown, skipped and unclear ones included."""
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    nlpd: float
    brier: float
    ece: float
    ece_floor: float
    """What ECE would be, on average, of a perfectly calibrated model with these confidences."""
    recall: tuple[float | None, ...]
    """Share found of each class in the test part; None where it has none."""
    classes_asked: tuple[int, ...]
    """Images of each (true) class that this round asked; one more at the end: of no class."""
    images: tuple[str, ...]
    """Content hashes of the images that this round asked, in order."""
    seconds_asking: float
    seconds_learning: float
    seconds_measuring: float
    seconds_answering: float
    """What the oracle's answers would have cost, by its recorded times."""
    peak_bytes: int
    """Most memory of the process so far, everything included."""

    def without_costs(self) -> SimulationPoint:
        """What does not depend on the machine: equal for equal plan, data and code."""
        return replace(
            self, seconds_asking=0.0, seconds_learning=0.0, seconds_measuring=0.0, peak_bytes=0
        )

    def as_row(self) -> dict[str, Any]:
        """Flat, as tables hold it: the arm's fields stand beside the point's own."""
        row = {each.name: getattr(self, each.name) for each in fields(self)}
        return asdict(row.pop("arm")) | row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> SimulationPoint:
        """The point of which this is the row, whose lists may be lists or tuples."""
        values: dict[str, Any] = {
            name: tuple(row[name]) if name in POINT_LISTS else row[name] for name in POINT_COLUMNS
        }
        arm = Arm(**{each.name: values.pop(each.name) for each in fields(Arm)})
        return cls(arm, **values)


POINT_COLUMNS = tuple(
    each.name for each in (*fields(Arm), *fields(SimulationPoint)) if each.name != "arm"
)
"""Of `SimulationPoint.as_row`, in this order."""
POINT_LISTS = ("recall", "classes_asked", "images")
"""Those of them that hold several values each."""
