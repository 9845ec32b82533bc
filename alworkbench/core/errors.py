"""Every error that a user can meet.

A message says what was found, what is needed, and which command mends it. A command ends with the
exit code of the error's family: 1 WorkbenchError, 3 ProjectError, 4 DataError, 5 EncoderError,
6 PosteriorError, 7 LoopError, 8 DeviceUnavailable, 9 PortInUse, 10 PeopleError.
"""

from __future__ import annotations

import difflib
import errno
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime

from alworkbench.core.names import shown, twin_of

SHOWN = 5
"""At most so many of the images that an error is about are named."""


class WorkbenchError(Exception):
    """An error that the user can correct. `exit_code` is the exit status of the command."""

    exit_code = 1


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """' Did you mean X?' with the most similar known name; an empty text if none is similar."""
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


# ------------------------------------------------------------------------------------------ project
class ProjectError(WorkbenchError):
    """A project cannot be opened, made or written. Exit code 3."""

    exit_code = 3


class ProjectMissing(ProjectError):
    """The folder holds no project."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} holds no project: the file project.db is missing. "
            f"Create a project with `alworkbench init {path} --class NAME --class NAME`."
        )


class ProjectExists(ProjectError):
    """The folder holds a project already."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} holds a project already. Continue it with "
            f"`alworkbench status --project {path}`, or name another folder."
        )


class InvalidProjectName(ProjectError):
    """No project can have this name."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The name {name!r} {why}. No project was made. Give another name.")


class ProjectTooNew(ProjectError):
    """A newer version of the program wrote this project."""

    def __init__(self, path: object, revision: str) -> None:
        super().__init__(
            f"A newer version of alworkbench wrote the project in {path} (schema {revision!r}). "
            f"Nothing was changed. Upgrade with `pip install --upgrade alworkbench`."
        )


class ProjectDamaged(ProjectError):
    """The database of the project cannot be read."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"The database project.db in {path} cannot be read ({detail}). Nothing was changed. "
            f"Restore project.db from a backup, together with project.db-wal and project.db-shm if "
            f"the backup has them."
        )


class ProjectBusy(ProjectError):
    """Another process held the write lock longer than this one waits."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"Another command is writing to the project in {path}. This command recorded nothing. "
            f"Run it again when the other command has ended."
        )


class ProjectDiskFull(ProjectError):
    """The disk is full, so this write was not recorded."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"The disk of {path} is full. The last answer or command was not recorded; earlier records "
            f"are safe. Free some space and try again."
        )


class ProjectReadOnly(ProjectError):
    """The folder of the project cannot be written, so it can only be read."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"The project in {path} cannot be written: its disk or its files are read-only. Nothing was "
            f"recorded. `alworkbench status` and `alworkbench export` work; to go on, copy the folder to a "
            f"disk that can be written."
        )


class SettingFixed(ProjectError):
    """A setting cannot be changed any more, since stored things would lose their meaning."""

    def __init__(self, name: str, present: str, reason: str) -> None:
        super().__init__(
            f"The {name} of this project stays {present!r}: {reason}. Nothing was changed. For another "
            f"{name}, start a new project (`alworkbench init`); `alworkbench export` takes the labels along."
        )


class ProjectUnavailable(ProjectError):
    """The folder of the project cannot be read or written."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"The project in {path} cannot be used ({detail}). The folder and its files project.db* "
            f"must be on a local disk, and you need permission to read and write them. Check them "
            f"with `ls -l {path}`."
        )


class ProjectClosing(ProjectError):
    """The project was moved while it was open, and is not closed at its old place yet."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"The project in {path} is still being closed at the place where it lay before. Try again in "
            f"some seconds."
        )


class ServerUnavailable(ProjectUnavailable):
    """The PostgreSQL server with the records of a project does not answer, or does not let the user in."""

    def __init__(self, path: object, detail: str) -> None:
        ProjectError.__init__(
            self,
            f"The database server of the project in {path} cannot be used ({detail}). What it did not "
            f"confirm was not recorded, or can be sent again. Check the URL in {path}/store.json, and "
            f"whether the server runs. The password comes from ALWORKBENCH_STORE, PGPASSWORD or a "
            f"password file.",
        )


class InvalidStoreUrl(ProjectError):
    """The URL of a database cannot be used. The message never repeats it: it may hold a password."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The URL of the database cannot be used: {why}. Nothing was changed. Give a URL such as "
            f"postgresql+psycopg://user@host/database to `alworkbench init FOLDER --store URL`."
        )


class ServerHoldsProject(ProjectError):
    """A new project was asked for in a database that holds one, or that belongs to another program."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The database holds {what} already. Nothing was changed. Make an empty database with "
            f"`createdb NAME`, and name it in the URL."
        )


class NotInProject(ProjectError):
    """An id that this project does not have, for example from an old page or another project."""

    def __init__(self, noun: str, found: object) -> None:
        super().__init__(
            f"This project has no {noun} {found!r}. Reload the page, or list the contents of the "
            f"project with `alworkbench status`."
        )


# --------------------------------------------------------------------------------------------- data
class DataError(WorkbenchError):
    """An input cannot be used: a file, a folder or a name. Exit code 4."""

    exit_code = 4


class NothingToImport(DataError):
    """A source holds no usable image."""


class UnreadableSource(DataError):
    """A folder, manifest or archive cannot be read."""


class OutputUnwritable(DataError, OSError):
    """A file or folder that a user asked for cannot be written. Nothing of it was kept."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path} cannot be written: {reason}. Nothing of it was kept. Name another place, or free "
            f"this one, and run the command again."
        )

    def __str__(self) -> str:
        return str(self.args[0])


CANNOT_WRITE = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.ENAMETOOLONG,
    }
)
"""Errors of the operating system that say that a place cannot be written, and nothing about this program."""


class InvalidClassList(DataError):
    """A class list has too few classes, repeated names or invalid names."""


class InvalidInitPhrase(DataError):
    """A phrase cannot be the start of the prompts that are tuned."""

    def __init__(self, phrase: str, detail: str) -> None:
        super().__init__(
            f"The phrase {phrase[:200]!r} cannot start the context of tuned prompts: {detail}. Name the "
            f"words that stand before the class name, such as 'a photo of a'."
        )


class InvalidTemplates(DataError):
    """A prompt template, a file of templates or the name of a set of templates cannot be used."""


class InvalidLabelFile(DataError):
    """A label file cannot be read."""


class InvalidPredictionFile(DataError):
    """Predictions cannot be written as this kind of file."""


class InvalidImageQuery(DataError):
    """Images cannot be asked for like this."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Images cannot be listed so: {why}. Correct it and ask again.")


class ContradictingLabels(DataError):
    """A source gives an image two different labels, or two different roles."""

    def __init__(self, source: object, found: Iterable[str], what: str = "labels") -> None:
        found = list(found)
        count = "one image" if len(found) == 1 else f"{len(found)} images"
        shown = "; ".join(found[:SHOWN]) + ("; ..." if len(found) > SHOWN else "")
        super().__init__(
            f"{source} gives {count} different {what}: {shown}. Nothing was recorded. Keep one of them for "
            f"each image."
        )


class DifferentRoles(DataError):
    """A source gives images another role than they have in the project."""

    def __init__(self, source: object, found: Iterable[str]) -> None:
        found = list(found)
        count = "an image" if len(found) == 1 else f"{len(found)} images"
        shown = "; ".join(found[:SHOWN]) + ("; ..." if len(found) > SHOWN else "")
        super().__init__(
            f"{source} gives {count} another role than the project: {shown}. Nothing was recorded. Labels of "
            f"the audit set measure, and labels of the pool teach. Say what to do with --roles: keep (the "
            f"images keep their roles here), change (they take the role of the source) or leave-out (these "
            f"labels are left out)."
        )


class HistoriesDiffer(DataError):
    """A history has events that do not continue those of the project."""

    def __init__(self, source: object, found: Iterable[str]) -> None:
        found = list(found)
        shown = "; ".join(found[:SHOWN]) + (
            f"; and {len(found) - SHOWN:,} more" * (len(found) > SHOWN)
        )
        super().__init__(
            f"The history in {source} does not continue that of this project: {shown}. Nothing was recorded. "
            f"Recorded labels are never changed, and new ones follow those that are there. Read the newest "
            f"`alworkbench export --history` of the other project, or record what the file says now as new "
            f"answers: `alworkbench label {source}` without --history."
        )


class WhitePointInUse(DataError):
    """Features of the project were computed with another white point."""

    def __init__(self, known: int | None, wanted: int) -> None:
        super().__init__(
            f"The project has features of pictures whose white is at {known:,}, and features are not "
            f"computed again, so its white point cannot become {wanted:,}. Nothing was imported. Make a new "
            f"project with `alworkbench init`, and import into it with `--white-point {wanted}`."
        )


class InvalidSupportManifest(DataError):
    """A file is not the JSON manifest of a support set."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(
            f"{path} is not the manifest of a support set: {why}. Give the .json file, or the folder, that "
            f"`alworkbench support-set` wrote; a .csv file does not name the project."
        )


class InvalidAnswerFile(DataError):
    """A file of tuned answers cannot be continued."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"{path} cannot take the answers of prompt tuning: {detail}. Nothing was changed. Name another "
            f"file, which need not exist yet: `alworkbench prompts tune answers.csv`."
        )


class InvalidFeatureFile(DataError):
    """A features file does not have the documented layout."""

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = message if reason is None else reason
        """What is wrong, without what to do about it: that depends on whose file it is."""


class AlreadyPublished(DataError):
    """Another content has the name of a published file."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place} exists and holds something else. Nothing that was published is overwritten: publish "
            f"the features of this project under another address."
        )


class StoreUnreachable(DataError):
    """An object store does not answer, or refuses."""

    def __init__(self, place: str, verb: str, cause: str) -> None:
        super().__init__(
            f"{place} cannot be {verb}: {cause}. Check the address, the network and the credentials "
            f"(AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_PROFILE), and run the "
            f"command again: it goes on where it stopped."
        )


class InvalidTargets(DataError):
    """A target set cannot be used."""

    def __init__(self, name: str, detail: str, known: Iterable[str] = ()) -> None:
        known = list(known)
        kept = (
            f"This project has the target sets {', '.join(known)}."
            if known
            else "This project has no target set yet."
        )
        super().__init__(
            f"{name[:200]!r} cannot be used as a target set: {detail[:300]}. {kept} Name a stored "
            f"target set, or a folder, manifest or archive of images: `alworkbench propose --target FOLDER`."
        )


class InvalidPlan(DataError):
    """The settings of a simulation contradict each other or its data."""


class InvalidResult(DataError):
    """The result of a simulation is missing, damaged or of an earlier version."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"{path} is not a readable result of a simulation: {detail}. Name the folder of a finished "
            f"result, or the beginning of its key with `--project` or `--out`. `alworkbench simulate` "
            f"makes a new result."
        )


class NotPaired(DataError):
    """The runs of two results cannot be paired by seed."""

    def __init__(self, one: str, other: str, found: str) -> None:
        super().__init__(
            f"The results {one} and {other} cannot be paired: {found}. Paired runs need the same data, "
            f"pool and seeds. Run `alworkbench simulate` for both with the same data and --seeds."
        )


class SameResult(DataError):
    """A result was compared with itself."""

    def __init__(self, key: str, one: object, other: object) -> None:
        where = f"in {one}" if one == other else f"in {one} and in {other}, with the same figures"
        super().__init__(
            f"The result {key} was named twice ({where}). A comparison needs two different results of "
            f"the same data. To check that this result is reproducible, run "
            f"`alworkbench replay --simulation {key}`."
        )


class ImagesRefused(DataError):
    """Most images of an import or an encoding were set aside."""

    def __init__(
        self,
        what: str,
        refused: int,
        total: int,
        reasons: str,
        again: str,
        files: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        """`files` are (path, code, detail) of what was set aside, for a report of it."""
        self.files = tuple(files)
        super().__init__(
            f"{refused} of {total} {what} were set aside: {reasons}. If they are on a disk or a share, "
            f"check that it is mounted. Then run `{again}` again. What succeeded is kept."
        )


class UnknownClass(DataError):
    """The project has no class of this name."""

    def __init__(self, found: str, known: Iterable[str], where: str) -> None:
        known = list(known)
        shown = ", ".join(repr(name) for name in known[:20]) + (" ..." if len(known) > 20 else "")
        twin = twin_of(found, known)
        hint = (
            f" It differs from {twin!r} only in upper and lower case or in blanks."
            if twin is not None
            else did_you_mean(found, known)
        )
        super().__init__(
            f"{where} names the class {found!r}, which this project does not have.{hint} "
            f"Its classes are {shown}. Correct the name, or add the class "
            f"with `alworkbench classes add NAME`. Nothing was recorded."
        )


class ClassNotInUse(DataError):
    """A name means a class that was retired or merged into another."""

    def __init__(self, name: str, into: str | None, where: str = "The change") -> None:
        what = "was retired" if into is None else f"was merged into {into!r}"
        instead = "" if into is None else f"Use {into!r}, or "
        self.name = name
        restore = f"restore the class with `alworkbench classes restore {shlex.quote(name)}`"
        remedy = instead + restore if instead else restore[0].upper() + restore[1:]
        super().__init__(
            f"{where} names the class {name!r}, which {what} and is not in use. {remedy}. "
            f"Nothing was changed."
        )


class ImageNotFound(DataError):
    """The project has no image that matches the name a user gave."""

    def __init__(self, name: str, near: str | None) -> None:
        super().__init__(
            f"This project has no image {name[:300]!r}."
            + (f" Did you mean {near!r}?" if near else "")
            + " Name an image by its path, the end of its path or its content hash. "
            "`alworkbench import FOLDER` adds new images."
        )


class FolderNotEmpty(DataError):
    """An output folder is not empty."""

    def __init__(self, folder: object, what: str) -> None:
        super().__init__(
            f"{folder} exists and is not an empty folder. Nothing was written. Name a new folder for "
            f"the {what}."
        )


class InvalidBackup(DataError):
    """A folder is no complete backup: its manifest or one of its files is missing or was changed."""

    def __init__(self, folder: object, found: Iterable[str]) -> None:
        found = list(found)
        shown = "; ".join(found[:SHOWN]) + ("; ..." if len(found) > SHOWN else "")
        super().__init__(
            f"{folder} cannot be restored: {shown}. Nothing was written. Use another backup, or bring the "
            f"files of this one back."
        )


class BackupInsideProject(DataError):
    """A backup was asked for inside of the project that it is to protect."""

    def __init__(self, target: object) -> None:
        super().__init__(
            f"{target} lies inside the project, and would be lost with it. Nothing was written. Name a "
            f"folder outside of the project, best on another disk: `alworkbench backup FOLDER`."
        )


class UnknownCollection(DataError):
    """No collection has this name."""

    def __init__(self, found: str, known: Iterable[str]) -> None:
        known = list(known)
        super().__init__(
            f"There is no collection {found[:200]!r}.{did_you_mean(found, known)} "
            f"The collections are {', '.join(known)}; `alworkbench datasets` describes them."
        )


# ------------------------------------------------------------------------------------------ encoder
class EncoderError(WorkbenchError):
    """An encoder or its features cannot be used. Exit code 5."""

    exit_code = 5


class UnknownEncoder(EncoderError):
    """The name stands for no usable encoder."""


class UnsupportedModel(EncoderError):
    """A tower of the model does not end in a linear layer, so its Laplace posterior is not defined.

    `reason` is a short form of the message for tables.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class PreviewTooLarge(EncoderError):
    """A class list has more new prompts than a preview encodes."""

    def __init__(self, found: int, most: int) -> None:
        super().__init__(
            f"The preview of this class list needs {found:,} prompts that are not encoded yet; a preview "
            f"encodes at most {most:,}. Use fewer templates, or add the classes in parts. Storing the list "
            f"is not limited: it encodes the prompts in a job with its progress."
        )


class PreviewReplaced(EncoderError):
    """The person who asked for a preview asked for a newer one before it was made."""

    def __init__(self) -> None:
        super().__init__(
            "A newer preview was asked for meanwhile, so this one was stopped. Change the list to see it "
            "again."
        )


class PromptsNotTunable(EncoderError):
    """The text tower of the model has no context vectors that could be tuned: prompt tuning is not
    defined for it."""


class EncoderMismatch(EncoderError):
    """A file belongs to another encoder than the project uses."""

    def __init__(self, what: str, made_for: str, needed: str) -> None:
        super().__init__(
            f"{what} belongs to the encoder {made_for}, but this project uses {needed}. "
            f"Encode the images with that encoder (`alworkbench encode`) or fit a posterior for it "
            f"(`alworkbench fit --pairs captions.csv`)."
        )


class TemperatureMismatch(EncoderError):
    """A temperature was fitted to the logits of another model."""

    def __init__(self, differences: Iterable[str]) -> None:
        super().__init__(
            f"The temperature was fitted to logits of another model: {'; '.join(differences)}. "
            f"Fit a temperature to the logits of this model."
        )


class FeaturesMissing(EncoderError):
    """Some images or prompts have no features."""

    def __init__(self, missing: int, total: int, what: str = "images") -> None:
        super().__init__(
            f"{missing} of {total} {what} have no features yet. Run `alworkbench encode`; it resumes "
            f"where it stopped."
        )


class NoImages(FeaturesMissing):
    """The project, or its pool, has no images: there is nothing to encode, rank or ask."""

    def __init__(self, what: str = "project") -> None:
        super(FeaturesMissing, self).__init__(
            f"The {what} has no images. Import them: `alworkbench import FOLDER`."
        )


class FeaturesLocked(EncoderError):
    """Another process is writing features into this folder."""

    def __init__(self, folder: object, process: str) -> None:
        super().__init__(
            f"Process {process} is writing features into {folder}, and only one process may write. "
            f"Wait until it ends or stop it. Then run `alworkbench encode`; it resumes where it stopped."
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
            f"The encoder {encoder} has no posterior. Fit one from image-caption pairs with "
            f"`alworkbench fit --pairs captions.csv`. Without captions, approximate it from the pool "
            f"with `alworkbench fit --from-pool`."
        )


class ReplacesCaptions(PosteriorError):
    """A fit from the pool would take the place of a posterior that was fitted from captions."""

    def __init__(self, source: str, pairs: int) -> None:
        super().__init__(
            f"The project's posterior was fitted from {pairs:,} image-caption pairs ({source}). A posterior "
            f"from the pool is an approximation. It would be used instead of it from now on: the ranking "
            f"of images changes, learning starts from other weights, and class names that the model does "
            f"not know are no longer named. To do it, run `alworkbench fit --from-pool --replace`. To keep a "
            f"way back, run `alworkbench posterior export FOLDER` before."
        )


# --------------------------------------------------------------------------------------------- loop
class LoopError(WorkbenchError):
    """A step of the labelling loop is not possible in the present state. Exit code 7."""

    exit_code = 7


class UnknownStrategy(LoopError):
    """No strategy has this name. For a strategy of an earlier version, `instead` is the nearest one."""

    def __init__(self, found: str, known: Iterable[str], instead: str | None = None) -> None:
        known = sorted(known)
        if instead is not None:
            super().__init__(
                f"The strategy {found!r} was removed. Use {instead!r} instead: "
                f"`alworkbench propose --strategy {instead}`."
            )
            return
        super().__init__(
            f"There is no strategy {found!r}.{did_you_mean(found, known)} "
            f"The strategies are {', '.join(known)}."
        )


class UnknownAdaptation(LoopError):
    """No learning method has this name."""

    def __init__(self, found: str, known: Iterable[str]) -> None:
        known = list(known)
        super().__init__(
            f"There is no learning method {found[:200]!r}.{did_you_mean(found, known)} "
            f"The methods are {', '.join(known)}."
        )


class UnknownObjective(LoopError):
    """No objective of prompt tuning has this name."""

    def __init__(self, found: str, known: Iterable[str]) -> None:
        known = list(known)
        super().__init__(
            f"There is no objective of prompt tuning {found[:200]!r}.{did_you_mean(found, known)} "
            f"The objectives are {', '.join(known)}."
        )


class MemoryBudgetTooSmall(LoopError):
    """A computation needs more memory than its limit."""

    def __init__(self, needed: int, given: int, strategy: str | None = None) -> None:
        who = f"The strategy {strategy!r}" if strategy else "This computation"
        super().__init__(
            f"{who} needs {needed / 2**20:,.0f} MiB without the features, but the memory limit is "
            f"{given / 2**20:,.0f} MiB. Raise the limit with `--memory`, choose a smaller batch, or "
            f"choose a strategy that needs less memory (`alworkbench strategies --pool N`)."
        )


class TimeLimitTooSmall(LoopError):
    """A computation needs more time than its limit."""

    def __init__(
        self,
        needed: float,
        given: float,
        mend: str = "take fewer images with `--images`, or tune once for all images with `--without-images`",
        higher: str = "Raise the limit with `--most-seconds`",
    ) -> None:
        super().__init__(
            f"Tuning needs about {needed:,.1f} s, but the limit is {given:,.1f} s. Nothing was written. "
            f"{higher}, {mend}."
        )


class NoOpenRound(LoopError):
    """The step needs an open round."""

    def __init__(self) -> None:
        super().__init__("No round is open. Start one with `alworkbench propose`.")


class ChangedMeanwhile(LoopError):
    """The project changed while something was computed, so that the result does not fit it any more."""

    def __init__(self, what: str, command: str) -> None:
        super().__init__(
            f"While this was computed, {what}. Nothing was changed. Look at the project "
            f"(`alworkbench status`), and where it is still needed, start again: `{command}`."
        )


class NoPreview(LoopError):
    """No batch was chosen to be looked at before its round is opened."""

    def __init__(self) -> None:
        super().__init__(
            "No batch was previewed, so no round was opened. Choose one with `alworkbench propose "
            "--preview`, or on the page Rounds."
        )


class PreviewOutdated(LoopError):
    """The previewed batch is not the one that would be chosen now."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The previewed images do not fit any more: since they were chosen, {what}. No round was opened. "
            f"Choose anew with `alworkbench propose --preview`, or with Propose anew on the page Rounds."
        )


class JobRuns(LoopError):
    """A computation of this kind runs already, started by whomever."""

    def __init__(self, job_id: int, title: str, asked_by: str, since: datetime, pid: int) -> None:
        super().__init__(
            f"Job {job_id} is at work on this project: {title}. It was started by {asked_by} and runs since "
            f"{since:%H:%M:%S} UTC, in process {pid}. Nothing was changed. Wait until it has ended "
            f"(`alworkbench jobs`), or stop it: `alworkbench jobs cancel {job_id}`."
        )


class JobCancelled(LoopError):
    """Somebody stopped this computation."""

    def __init__(self, title: str, reason: str) -> None:
        super().__init__(
            f"Somebody stopped this computation: {title} ({reason}). Nothing was changed. Start it again "
            f"where it is still needed."
        )


class NotComputed(LoopError):
    """What a gallery filters or sorts by was not computed for the images of this project."""

    def __init__(self, what: str, command: str) -> None:
        super().__init__(
            f"This needs {what}, which this project does not have yet. Compute it with "
            f"`alworkbench gallery {command}`, or with the button on the page Gallery."
        )


class MapNotComputed(LoopError):
    """The map has no layout of this kind yet."""

    def __init__(self, layout: str) -> None:
        super().__init__(
            f"The map has no layout {layout} of these features yet. Compute it with `alworkbench map map.csv "
            f"--layout {layout}`, or with the button on the page Map."
        )


class MapChanged(LoopError):
    """A region was drawn on a map that has other points now."""

    def __init__(self) -> None:
        super().__init__(
            "The map has other points since this region was drawn: images came, or it was laid out again. "
            "Draw the region again on the page Map."
        )


class MapTooSmall(LoopError):
    """Too few images for a layout by neighbours."""

    def __init__(self, found: int, least: int) -> None:
        super().__init__(
            f"A layout by UMAP needs at least {least} images with features, and this project has {found}. "
            f"Use the layout pca, or import more images."
        )


class ExtraMissing(WorkbenchError):
    """An optional package is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the package {package}, which is not installed. Install it with "
            f"`pip install 'alworkbench[{extra}]'`."
        )


class GalleryChanged(LoopError):
    """What further pages of a list were sorted by is gone."""

    def __init__(self) -> None:
        super().__init__(
            "The predictions or comparisons that this list was made with were replaced meanwhile. Begin the "
            "list again."
        )


class SelectionTooLarge(LoopError):
    """More images than one act may label, or mark with a note or a flag."""

    def __init__(self, found: int, most: int, does: str = "labels") -> None:
        super().__init__(
            f"One act {does} at most {most:,} images, and {found:,} are selected. Nothing was recorded. "
            f"Select fewer."
        )


class InvalidNote(LoopError):
    """A note, or the reason of a flag, that cannot be stored."""

    def __init__(self, what: str, fault: str, most: int) -> None:
        super().__init__(
            f"This is not {what} that can be stored: it {fault}. Write 1 to {most} characters in one line, "
            f"without control characters. Nothing was recorded."
        )


class NothingAnswered(LoopError):
    """A round without an answer is closed on purpose only."""

    def __init__(self, number: int, items: int) -> None:
        super().__init__(
            f"None of the {items} images of round {number} has an answer. Label them with "
            f"`alworkbench serve` or `alworkbench label answers.csv`. `alworkbench learn` learns from other "
            f"labels and leaves the round open. `alworkbench close --force` closes it without an answer."
        )


class NothingPrepared(LoopError):
    """No batch is ready to follow the open round, or nothing of it is left to ask."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"No round is ready to follow round {number}. Nothing was changed. Close it with "
            f"`alworkbench close`, and start the next one with `alworkbench propose`."
        )


class UnknownRound(LoopError):
    """The project has no round with this number."""

    def __init__(self, number: int, rounds: int) -> None:
        super().__init__(
            f"There is no round {number}. The rounds of this project have the numbers 1 to {rounds}."
        )


class RoundStillOpen(LoopError):
    """The step is not possible while a round is open."""

    def __init__(self, number: int, unanswered: int) -> None:
        super().__init__(
            f"Round {number} is still open with {unanswered} unanswered images. Label them, or close "
            f"the round now with `alworkbench close`."
        )


class PoolExhausted(LoopError):
    """Every image of the pool has an answer."""

    def __init__(self) -> None:
        super().__init__(
            "Every image of the pool has an answer. Import more with `alworkbench import FOLDER`."
        )


class NothingToAsk(LoopError):
    """Images without an answer are left, but none of them can be shown or has features."""

    def __init__(self, pool: int, answered: int, unencoded: int, files: str) -> None:
        refused = (
            f" {unencoded} could not be encoded: `alworkbench encode` says why."
            if unencoded
            else ""
        )
        lost = (
            f" Their files: {files}. If they are on a disk or share, mount it and try again; "
            f"`alworkbench doctor` lists them."
            if files
            else ""
        )
        super().__init__(
            f"No image can be asked: {pool - answered} of {pool} images of the pool have no answer, but "
            f"none of these can be used.{refused}{lost}"
        )


class LeaseLost(LoopError):
    """Another annotator has the item now, so the answer was not recorded."""


class AnswerTooLate(LoopError):
    """The project refuses answers that come too late, so the answer was not recorded."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why} This project refuses late answers, so nothing was recorded. Go on with the next image."
        )


class UnknownItem(LoopError):
    """The project has no such item."""


class UnknownImage(LoopError):
    """The project has no image with this content hash."""

    def __init__(self, content_hash: str) -> None:
        super().__init__(
            f"This project has no image with the content hash {content_hash[:64]!r}. "
            f"Reload the page; `alworkbench export` lists the hashes."
        )


class ImageInUse(LoopError):
    """The role of an image is fixed, because the image was proposed or has an answer."""

    def __init__(self, content_hash: str, why: str) -> None:
        super().__init__(
            f"The image {content_hash[:12]} {why}, so it cannot change its role: an image that may have "
            f"taught the model must not measure it. Nothing was changed. Draw again with "
            f"`alworkbench audit`."
        )


class ImageAsked(LoopError):
    """The open round asks about an image, so its role cannot change now."""

    def __init__(self, image: str, number: int) -> None:
        super().__init__(
            f"The open round {number} asks about {image}, so its role cannot change now. Nothing was "
            f"changed. Close the round first: `alworkbench close`."
        )


class UnconfirmedRoleChange(LoopError):
    """A change of roles has a consequence for what was learned or will be learned."""

    def __init__(self, role: str, consequence: str) -> None:
        self.consequence = consequence
        super().__init__(
            f"{consequence} Nothing was changed. To change these roles nevertheless: "
            f"`alworkbench role {role} IMAGES --yes`."
        )


class TooFewLabels(LoopError):
    """There are too few labels for this computation."""

    def __init__(self, what: str, found: int, needed: int, of: str, mend: str) -> None:
        super().__init__(
            f"{what} needs at least {needed} labelled images {of}, but there are {found}. {mend}"
        )


class NotReplayable(LoopError):
    """The record lacks data that a replay needs."""


class NothingToUndo(LoopError):
    """The annotator has no answer that can be undone."""

    def __init__(self, annotator: str, where: str = "in the open round") -> None:
        super().__init__(f"{annotator!r} has no answer {where} that can be undone.")


class NothingToCorrect(LoopError):
    """There is no answer of the annotator that a correction could replace."""

    def __init__(self, annotator: str) -> None:
        super().__init__(
            f"{annotator!r} has no answer to this image that can be corrected: it was taken back, or never "
            f"recorded. Answer the image when it is asked again; nothing was changed."
        )


class NotYourAnswer(LoopError):
    """An answer can be taken back by the person who gave it, and by nobody else."""

    def __init__(self, annotator: str) -> None:
        super().__init__(
            f"{annotator!r} did not give this answer, so it was not changed. Nobody takes back or corrects "
            f"the answer of another person. Answer the image yourself; both answers are kept."
        )


class ReviewClosed(LoopError):
    """A case for a reviewer was closed before."""

    def __init__(self, review_id: int, state: str, by: str | None) -> None:
        super().__init__(
            f"Case {review_id} was {state} by {by!r} before, so nothing was changed. "
            f"Go on with an open case."
        )


class CaseChanged(LoopError):
    """A case for a reviewer is not as the reviewer saw it."""

    def __init__(self, review_id: int) -> None:
        super().__init__(
            f"Case {review_id} has changed since you saw it: its image has another answer or decision now. "
            f"Nothing was stored. Look at the case again, and decide then."
        )


class SecondOpinionAsked(LoopError):
    """The person who asks for a second opinion cannot give it."""

    def __init__(self, review_id: int, by: str) -> None:
        super().__init__(
            f"Case {review_id} is a second opinion that {by!r} asked for, so another reviewer decides it. "
            f"Nothing was changed. Wait for another reviewer, or dismiss the case to leave the answers as "
            f"they are."
        )


# ------------------------------------------------------------------------------------------ people
class PeopleError(WorkbenchError):
    """A person cannot be added, changed or signed in. Exit code 10."""

    exit_code = 10


class InvalidPersonName(PeopleError):
    """The name cannot be that of a person."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{shown(name)!r} cannot be the name of a person: it {why}. Nothing was changed. "
            f"Give another name."
        )


class PersonExists(PeopleError):
    """A person has this name already, or one that differs only in case or blanks."""

    def __init__(self, name: str, known: str) -> None:
        same = "" if name == known else f", which differs from {name!r} only in case or blanks"
        super().__init__(
            f"This project has a person {known!r} already{same}. Nothing was changed. Give another name; "
            f"`alworkbench people list` shows all."
        )


class UnknownPerson(PeopleError):
    """The project has no person with this name, or none of several projects has."""

    def __init__(
        self,
        name: str,
        known: Iterable[str],
        projects_have: str = "This project has",
        unread: Iterable[str] = (),
    ) -> None:
        """`unread` are sentences about projects that cannot be read: each may have the person."""
        missed = [f" A project that cannot be read may have this person: {each}" for each in unread]
        super().__init__(
            f"{projects_have} no person {name!r}.{did_you_mean(name, known)} Nothing was changed. "
            f"`alworkbench people list` shows all, `alworkbench people add NAME` adds one.{''.join(missed)}"
        )


class LastManager(PeopleError):
    """Without this person nobody could manage the project."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is the last active manager of this project. Nothing was changed. First make somebody "
            f"else a manager with `alworkbench people role NAME manager`, or add --force."
        )


class WeakPassword(PeopleError):
    """The password is too short or too long."""

    def __init__(self, found: int, fewest: int, most: int) -> None:
        super().__init__(
            f"The password has {found} characters; it must have {fewest} to {most}. Nothing was changed. "
            f"Give another one, for example four words."
        )


class SignInRefused(PeopleError):
    """Name and password do not belong to an active person. It does not say which of them is wrong."""

    def __init__(self) -> None:
        super().__init__(
            "This name and password do not fit, or the account is disabled. Try again, or ask a manager for "
            "a new password."
        )


class TooManyAttempts(PeopleError):
    """There were too many failed sign-ins. `seconds`: how long to wait."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        minutes = max(1, -(-seconds // 60))
        super().__init__(
            f"There were too many failed sign-ins. Wait {minutes} minute{'' if minutes == 1 else 's'}, then "
            f"try again."
        )


# ------------------------------------------------------------------------------------- the machine
class DeviceUnavailable(WorkbenchError):
    """The machine does not have this device. Exit code 8."""

    exit_code = 8


class EngineError(WorkbenchError):
    """An engine cannot be reached, has no room for the work, or lost a part of it."""


class InvalidServing(WorkbenchError):
    """The options of `alworkbench serve` do not go together, or name something that cannot be."""


class NoAccounts(PeopleError):
    """The server would be reached from other machines, and nobody could sign in."""

    def __init__(self, host: str, project: object) -> None:
        super().__init__(
            f"{host} can be reached from other machines, and nobody can sign in to this project. The server "
            f"was not started. Make the first account with `alworkbench people add NAME --role manager "
            f"--project {project}`, or serve this machine only with --host 127.0.0.1."
        )


class PortInUse(WorkbenchError):
    """Another program uses this port. Exit code 9."""

    exit_code = 9

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Another program uses port {port} on {host}. Stop it, or choose another port: "
            f"`alworkbench serve --port {port + 1}`."
        )
