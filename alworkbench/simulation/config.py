"""What is asked of `alworkbench simulate`, by flags, by a YAML file or from Python: one set of words.

    data: [glyphs, digits]          # or project, images (and test), features
    strategies: [random, margin, coverage]
    seeds: 10
    labels: 100
    batch: [5, 10]
    noise: 0.1

`WORDS` lists them all. Paths in a file are relative to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from alworkbench.acquisition.catalogue import resolve
from alworkbench.adaptation.settings import Strengths
from alworkbench.core.domain import DEFAULT_STRATEGY, Goal
from alworkbench.core.errors import InvalidPlan, did_you_mean
from alworkbench.simulation.plan import Confusion, OraclePlan, Plan

OWN = "own"
"""Seconds: those that the labels of the project took."""
MOST_BYTES = 1 << 20
"""Of a plan file; a confusion matrix of 200 classes takes a third."""
USUAL = ("random", "entropy", "margin", DEFAULT_STRATEGY)
"""Strategies that are compared where none is named: chance, two usual ones, and the default."""


@dataclass(frozen=True, slots=True)
class Request:
    """A plan and what to run it on: collections, a folder of images, a features file or a project."""

    plan: Plan
    data: tuple[str, ...] = ()
    """Names of collections, as `alworkbench datasets` lists them."""
    images: Path | None = None
    test: Path | None = None
    encoder: str = "bundled"
    features: Path | None = None
    project: Path = field(default_factory=Path)
    """Where none of the others is given."""
    truth: str | None = None
    """A manifest of the project's images, or `sample`."""
    own_seconds: bool = False
    """Answers cost what the labels of the project took."""
    processes: int | None = None
    out: Path | None = None


def read_request(path: Path, more: Mapping[str, Any] | None = None) -> Request:
    """A plan file, and what is said beside it, which counts more. Raises InvalidPlan."""
    values = read_plan_file(path)
    for name in values.keys() & PATHS:
        if isinstance(values[name], str) and values[name] != "sample":
            values[name] = str(path.parent / Path(values[name]).expanduser())
    return request_of({**values, **(more or {})}, str(path))


def read_plan_file(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises InvalidPlan."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidPlan(f"{path} has more than {MOST_BYTES:,} bytes: that is no plan file.")
        values = yaml.load(path.read_text(encoding="utf-8"), _OnceLoader)
    except OSError as error:
        raise InvalidPlan(f"The plan file {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPlan(f"{path} is not YAML: {str(error) or 'it is nested too deep'}") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InvalidPlan(
            f"{path} must hold lines such as `strategies: [random, coverage]`. {_known_words()}"
        )
    return values


class _OnceLoader(yaml.SafeLoader):
    """Plain values only, and no word twice: YAML itself would take the last and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.YAMLError(f"{name!r} stands twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep=deep)


def request_of(values: Mapping[str, Any], where: str = "The plan") -> Request:
    """Words and values as a request. Raises InvalidPlan for unknown words and impossible values."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in WORDS:
            near = did_you_mean(name, WORDS)
            raise InvalidPlan(
                f"{where} says {name!r}, which is no word of a plan.{near} {_known_words()}"
            )
        if value is None:
            continue
        try:
            found[name] = WORDS[name].read(value)
        except (TypeError, ValueError) as error:
            raise InvalidPlan(
                f"{where} says {name}: {str(value)[:200]!r}; needed is {WORDS[name].needed}"
                f"{f' ({error})' if str(error) else ''}."
            ) from error
    sources = [name for name in ("data", "images", "features", "project") if name in found]
    if len(sources) > 1:
        raise InvalidPlan(
            f"{where} names {' and '.join(sources)}: give one of data, images, features or project."
        )
    for name, needs in (("test", "images"), ("encoder", "images"), ("truth", "project")):
        if name in found and sources and needs not in sources:
            raise InvalidPlan(
                f"{where} says {name}, which belongs to {needs}, not to {sources[0]}."
            )
    seconds = found.get("seconds", ())
    if seconds == OWN and sources not in ([], ["project"]):
        raise InvalidPlan(f"{where} says seconds: own, which belongs to a project.")
    noise = found.get("noise", 0.0)
    oracle = OraclePlan(noise, found.get("skip", 0.0), () if seconds == OWN else seconds)
    plan = Plan(
        strategies=tuple(resolve(name) for name in found.get("strategies", USUAL)),
        oracle=oracle,
        strengths=Strengths(
            **{
                side: found[f"strength_{side}"]
                for side in ("image", "text")
                if f"strength_{side}" in found
            }
        ),
        **{PLAN_FIELDS[name]: found[name] for name in found.keys() & PLAN_FIELDS.keys()},
    )
    rest = {name: found[name] for name in found.keys() & REQUEST_FIELDS}
    return Request(plan, own_seconds=seconds == OWN, **rest)


# ----------------------------------------------------------------------------------- words and values


@dataclass(frozen=True, slots=True)
class Word:
    """How the value of a parameter is read."""

    read: Callable[[Any], Any]
    """The value as it is used; raises TypeError or ValueError."""
    needed: str


def _text(value: Any) -> str:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise TypeError
    return str(value)


def _names(value: Any) -> tuple[str, ...]:
    found = tuple(_text(one) for one in (value if isinstance(value, list | tuple) else [value]))
    _refuse_repeats(found)
    return found


def _counts(value: Any) -> tuple[int, ...]:
    found = tuple(_count(one) for one in (value if isinstance(value, list | tuple) else [value]))
    _refuse_repeats(found)
    return found


def _refuse_repeats(found: tuple[Any, ...]) -> None:
    if not found:
        raise ValueError("the list is empty")
    if repeated := [one for one in found if found.count(one) > 1]:
        raise ValueError(f"{repeated[0]!r} stands twice")


def _count(value: Any) -> int:
    if _whole(value) < 1:
        raise ValueError
    return int(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _share(value: Any) -> float:
    found = _number(value)
    if not 0 <= found < 1:
        raise ValueError
    return found


def _part(value: Any) -> float:
    found = _number(value)
    if not 0 < found <= 1:
        raise ValueError
    return found


def _positive(value: Any) -> float:
    found = _number(value)
    if found <= 0:
        raise ValueError
    return found


def _noise(value: Any) -> float | Confusion:
    if not isinstance(value, list | tuple):
        return _share(value)
    rows = tuple(tuple(_number(one) for one in row) for row in value)
    if any(len(row) != len(rows) for row in rows):
        raise ValueError("it is not square")
    for number, row in enumerate(rows, 1):
        if min(row) < 0 or abs(sum(row) - 1) > 1e-6:
            raise ValueError(f"row {number} does not add up to 1")
    return rows


def _seconds(value: Any) -> tuple[float, ...] | str:
    if value == OWN or (isinstance(value, list | tuple) and tuple(value) == (OWN,)):
        return OWN
    given = value if isinstance(value, list | tuple) else [value]
    # On the command line `own` and numbers come alike, as words.
    return tuple(_positive(float(one) if isinstance(one, str) else one) for one in given)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _path(value: Any) -> Path:
    return Path(_text(value)).expanduser()


WORDS: Mapping[str, Word] = {
    "data": Word(_names, "a collection, or a list of them (`alworkbench datasets`)"),
    "images": Word(_path, "a folder with a folder for each class"),
    "test": Word(_path, "a folder like that of images, for the test part"),
    "encoder": Word(_text, "bundled, ARCH:TAG, or ARCH:path/to/weights"),
    "features": Word(_path, "a features file"),
    "project": Word(_path, "the folder of a project"),
    "truth": Word(_text, "a manifest with label, split and sha256, or sample"),
    "strategies": Word(_names, "a strategy, or a list of them (`alworkbench strategies`)"),
    "adaptations": Word(_names, "an adaptation, or a list of them"),
    "batch": Word(_counts, "a number of images, or a list of such"),
    "seeds": Word(_count, "a number of repetitions"),
    "labels": Word(_count, "a number of images"),
    "audit": Word(_whole, "a number of images"),
    "pool_fraction": Word(_part, "a share above 0, up to 1"),
    "goal": Word(Goal, f"one of {', '.join(Goal)}"),
    "noise": Word(_noise, "a share below 1, or a confusion matrix"),
    "skip": Word(_share, "a share below 1"),
    "seconds": Word(_seconds, "seconds an answer takes, a list of such, or own"),
    "transductive": Word(_flag, "true or false"),
    "strength_image": Word(_positive, "a number above 0"),
    "strength_text": Word(_positive, "a number above 0"),
    "processes": Word(_count, "a number of processes"),
    "out": Word(_path, "a folder"),
}
PATHS = frozenset({"images", "test", "features", "project", "truth", "out"})
PLAN_FIELDS = {
    "adaptations": "adaptations",
    "batch": "batch_sizes",
    "seeds": "seeds",
    "labels": "labels",
    "audit": "audit",
    "pool_fraction": "pool_fraction",
    "goal": "goal",
    "transductive": "transductive",
}
REQUEST_FIELDS = frozenset(
    {"data", "images", "test", "encoder", "features", "project", "truth", "processes", "out"}
)


def _known_words() -> str:
    return f"Its words are {', '.join(WORDS)}."
