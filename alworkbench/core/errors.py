"""Every error that a user can meet. Each says what was found, what is needed and how to mend it.

WorkbenchError                 exit code 1
  ProjectError                 3
    ProjectMissing, ProjectExists, ProjectTooNew, ProjectDamaged, ProjectBusy,
    ProjectDiskFull, ProjectUnavailable, NotInProject
  DataError                    4
    NothingToImport, UnreadableSource, InvalidClassList, UnknownClass, InvalidLabelFile,
    InvalidFeatureFile, InvalidTargets, ImageNotFound, InvalidResult, NotPaired, SameResult,
    InvalidPlan, UnknownCollection, FolderNotEmpty
  EncoderError                 5
    UnknownEncoder, UnsupportedModel, EncoderMismatch, FeaturesMissing, FeaturesLocked
  PosteriorError               6
    NotPositiveDefinite, PosteriorMissing, InvalidPosteriorFile
  LoopError                    7
    UnknownStrategy, NoOpenRound, RoundStillOpen, PoolExhausted, LeaseLost, UnknownItem,
    NothingToUndo, ImageInUse, TooFewLabels, NotReplayable
  DeviceUnavailable            8
  PortInUse                    9
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkbenchError(Exception):
    """The root of all errors that a user can mend. `exit_code` is the exit status of a command."""

    exit_code = 1


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """' Did you mean X?' with the nearest known name, or an empty text."""
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


# ------------------------------------------------------------------------------------------ project
class ProjectError(WorkbenchError):
    """A project cannot be opened, made or written. Exit code 3."""

    exit_code = 3


class ProjectMissing(ProjectError):
    """There is no project in this folder."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"No project was found in {path}: it holds no project.db. "
            f"Make one with `alworkbench init {path} --class NAME --class NAME`."
        )


class ProjectExists(ProjectError):
    """There is a project in this folder already."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} holds a project already. Go on with it "
            f"(`alworkbench status --project {path}`), or name another folder."
        )


class ProjectTooNew(ProjectError):
    """A newer version of the program wrote this project."""

    def __init__(self, path: object, revision: str) -> None:
        super().__init__(
            f"The project in {path} was written by a newer alworkbench (schema {revision!r}, unknown "
            f"here). Nothing was changed. Upgrade with `pip install --upgrade alworkbench`."
        )


class ProjectDamaged(ProjectError):
    """The database of the project cannot be read."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"The database project.db in {path} cannot be read ({detail}). Nothing was changed. Put "
            f"back a good copy of project.db, together with the files project.db-wal and "
            f"project.db-shm if the copy has them."
        )


class ProjectBusy(ProjectError):
    """Another process held the write lock for too long."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"The project in {path} was being written to for too long by another command; this one "
            f"recorded nothing. Try again when that command has ended."
        )


class ProjectDiskFull(ProjectError):
    """The disk is full; nothing of this write was recorded."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"The disk of {path} is full; what was just sent was not recorded, all that was "
            f"recorded before is there. Free some space and send it again."
        )


class ProjectUnavailable(ProjectError):
    """The folder of the project cannot be read or written."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"The project in {path} cannot be used now ({detail}). The folder and the files "
            f"project.db* in it must be readable and writable, on a local disk. Check them with "
            f"`ls -l {path}`."
        )


class NotInProject(ProjectError):
    """An id that this project never gave out, such as one from a stale page or another project."""

    def __init__(self, noun: str, found: object) -> None:
        super().__init__(
            f"This project has no {noun} {found!r}. Reload the page, or see what the project holds "
            f"with `alworkbench status`."
        )


# --------------------------------------------------------------------------------------------- data
class DataError(WorkbenchError):
    """Something that was given cannot be used: a file, a folder, a name. Exit code 4."""

    exit_code = 4


class NothingToImport(DataError):
    """A source holds no image that can be used."""


class UnreadableSource(DataError):
    """A folder, manifest or archive cannot be read."""


class InvalidClassList(DataError):
    """A class list is empty, repeats a name or is otherwise unusable."""


class InvalidLabelFile(DataError):
    """A label file cannot be read."""


class InvalidFeatureFile(DataError):
    """A features file does not have the documented layout."""


class InvalidTargets(DataError):
    """A target set cannot be used."""

    def __init__(self, name: str, detail: str, known: Iterable[str] = ()) -> None:
        known = list(known)
        kept = f"Kept in this project are {', '.join(known)}." if known else "None was kept yet."
        super().__init__(
            f"{name[:200]!r} cannot be used as a target set: {detail[:300]}. {kept} Name one of them, "
            f"or a folder, manifest or archive of images: `alworkbench propose --target FOLDER`."
        )


class InvalidPlan(DataError):
    """A simulation that cannot be run as it was asked for."""


class InvalidResult(DataError):
    """A file of a simulation that is missing, damaged or of an earlier version."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"No simulation's result can be read from {path}: {detail}. Name the folder of a finished "
            f"result or the beginning of its key (with `--project` or `--out`), or run it with "
            f"`alworkbench simulate`."
        )


class NotPaired(DataError):
    """Two results whose runs cannot be compared seed by seed."""

    def __init__(self, one: str, other: str, found: str) -> None:
        super().__init__(
            f"The results {one} and {other} cannot be paired: {found}. Paired runs need the same data, "
            f"pool and seeds: run both with `alworkbench simulate` on the same data, with the same "
            f"--seeds."
        )


class SameResult(DataError):
    """A result that was to be compared with itself."""

    def __init__(self, key: str, one: object, other: object) -> None:
        where = f"in {one}" if one == other else f"in {one} and {other}, figure by figure alike"
        super().__init__(
            f"The result {key} was named twice ({where}): nothing can have changed between it and "
            f"itself. Name another result of the same data; to see whether this one comes out again, "
            f"use `alworkbench replay --simulation {key}`."
        )


class UnknownClass(DataError):
    """A class name that the project does not have."""

    def __init__(self, found: str, known: Iterable[str], where: str) -> None:
        known = list(known)
        shown = ", ".join(repr(name) for name in known[:20]) + (" ..." if len(known) > 20 else "")
        super().__init__(
            f"{where} names the class {found!r}, which this project does not have."
            f"{did_you_mean(found, known)} Its classes are {shown}. Nothing was recorded."
        )


class ImageNotFound(DataError):
    """An image that the project does not have, named by a person."""

    def __init__(self, name: str, near: str | None) -> None:
        super().__init__(
            f"This project has no image {name[:300]!r}."
            + (f" Did you mean {near!r}?" if near else "")
            + " Name it by its path, the end of its path or its content hash; "
            "`alworkbench import FOLDER` brings new images in."
        )


class FolderNotEmpty(DataError):
    """A folder to write into holds something already."""

    def __init__(self, folder: object, what: str) -> None:
        super().__init__(
            f"{folder} is there already and is not an empty folder; nothing was written. Name a new "
            f"folder for the {what}."
        )


class UnknownCollection(DataError):
    """No data set has this name."""

    def __init__(self, found: str, known: Iterable[str]) -> None:
        known = list(known)
        super().__init__(
            f"There is no collection {found[:200]!r}.{did_you_mean(found, known)} "
            f"Known are {', '.join(known)}; `alworkbench datasets` describes them."
        )


# ------------------------------------------------------------------------------------------ encoder
class EncoderError(WorkbenchError):
    """An encoder or its features cannot be used. Exit code 5."""

    exit_code = 5


class UnknownEncoder(EncoderError):
    """No encoder can be made from this name."""


class UnsupportedModel(EncoderError):
    """The model's last layer is not linear, so there is no projection to be uncertain about.

    `reason` is the same in few words, for tables.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class EncoderMismatch(EncoderError):
    """A file was made for another encoder than the project's."""

    def __init__(self, what: str, made_for: str, needed: str) -> None:
        super().__init__(
            f"{what} belongs to the encoder {made_for}, but this project uses {needed}. "
            f"Encode the images with that encoder (`alworkbench encode`) or fit a posterior for it "
            f"(`alworkbench fit --pairs captions.csv`)."
        )


class FeaturesMissing(EncoderError):
    """Some images or prompts have not been encoded."""

    def __init__(self, missing: int, total: int, what: str = "images") -> None:
        super().__init__(
            f"{missing} of {total} {what} have no features yet. Run `alworkbench encode` "
            f"(it goes on where it stopped)."
        )


class FeaturesLocked(EncoderError):
    """Another process writes features into this folder."""

    def __init__(self, folder: object, process: str) -> None:
        super().__init__(
            f"Process {process} is writing features into {folder}, and only one may. Wait until it "
            f"has ended, or end it; then run `alworkbench encode` (it goes on where it stopped)."
        )


# ---------------------------------------------------------------------------------------- posterior
class PosteriorError(WorkbenchError):
    """A posterior cannot be fitted or read. Exit code 6."""

    exit_code = 6


class NotPositiveDefinite(PosteriorError):
    """A matrix that must be positive definite is not."""


class InvalidPosteriorFile(PosteriorError):
    """A posterior file does not have the documented layout."""


class PosteriorMissing(PosteriorError):
    """The encoder of the project has no posterior yet."""

    def __init__(self, encoder: str) -> None:
        super().__init__(
            f"No posterior was fitted for the encoder {encoder}. Fit one from image-caption pairs "
            f"with `alworkbench fit --pairs captions.csv`, or without captions from the pool, which is "
            f"an approximation, with `alworkbench fit --from-pool`."
        )


# --------------------------------------------------------------------------------------------- loop
class LoopError(WorkbenchError):
    """A step of the labelling loop is not possible now. Exit code 7."""

    exit_code = 7


class UnknownStrategy(LoopError):
    """No strategy has this name. For a strategy of an earlier version, `instead` is the nearest one."""

    def __init__(self, found: str, known: Iterable[str], instead: str | None = None) -> None:
        known = sorted(known)
        if instead is not None:
            super().__init__(f"The strategy {found!r} was removed. Use {instead!r} instead.")
            return
        super().__init__(
            f"There is no strategy {found!r}.{did_you_mean(found, known)} "
            f"Known strategies: {', '.join(known)}."
        )


class UnknownAdaptation(LoopError):
    """No learning method has this name."""

    def __init__(self, found: str, known: Iterable[str]) -> None:
        known = list(known)
        super().__init__(
            f"There is no learning method {found[:200]!r}.{did_you_mean(found, known)} "
            f"The methods are {', '.join(known)}."
        )


class MemoryBudgetTooSmall(LoopError):
    """A computation does not fit the memory that it may use."""

    def __init__(self, needed: int, given: int, strategy: str | None = None) -> None:
        who = f"The strategy {strategy!r}" if strategy else "This computation"
        super().__init__(
            f"{who} needs {needed / 2**20:,.0f} MiB beside the features, and may use "
            f"{given / 2**20:,.0f} MiB. Give it more memory, fewer draws or a smaller batch, or choose "
            f"a strategy that needs less: `alworkbench strategies`."
        )


class NoOpenRound(LoopError):
    """A step needs an open round, and there is none."""

    def __init__(self) -> None:
        super().__init__("No round is open. Start one with `alworkbench propose`.")


class RoundStillOpen(LoopError):
    """A step needs that no round is open."""

    def __init__(self, number: int, unanswered: int) -> None:
        super().__init__(
            f"Round {number} is still open with {unanswered} unanswered images. Answer them, or close "
            f"it as it is with `alworkbench close`."
        )


class PoolExhausted(LoopError):
    """No image is left to ask."""

    def __init__(self) -> None:
        super().__init__(
            "Every image of the pool has been answered. Import more with `alworkbench import FOLDER`."
        )


class LeaseLost(LoopError):
    """Someone else has the item now; the answer was not recorded."""


class UnknownItem(LoopError):
    """An item that the project does not have."""


class UnknownImage(LoopError):
    """A content hash that the project does not have."""

    def __init__(self, content_hash: str) -> None:
        super().__init__(
            f"This project has no image with the content hash {content_hash[:64]!r}. "
            f"Reload the page; `alworkbench export` lists the hashes."
        )


class ImageInUse(LoopError):
    """The role of an image cannot change any more: somebody was asked about it, or answered."""

    def __init__(self, content_hash: str, why: str) -> None:
        super().__init__(
            f"The image {content_hash[:12]} {why}, so its role stays: what may have been learned from is "
            f"never measured on. Nothing was changed; draw again with `alworkbench audit`."
        )


class TooFewLabels(LoopError):
    """There are too few labels for this figure."""

    def __init__(self, what: str, found: int, needed: int, of: str, mend: str) -> None:
        super().__init__(
            f"{what} needs at least {needed} labelled images {of}, and there are {found}. {mend}"
        )


class NotReplayable(LoopError):
    """The record does not hold enough to replay it."""


class NothingToUndo(LoopError):
    """The annotator has no answer to take back."""

    def __init__(self, annotator: str) -> None:
        super().__init__(f"There is no answer of {annotator!r} in the open round to take back.")


# ------------------------------------------------------------------------------------- the machine
class DeviceUnavailable(WorkbenchError):
    """A device that this machine does not have. Exit code 8."""

    exit_code = 8


class PortInUse(WorkbenchError):
    """Another program listens on this port. Exit code 9."""

    exit_code = 9

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Port {port} on {host} is in use. Stop the other program, or choose another port: "
            f"`alworkbench serve --port {port + 1}`."
        )
