"""The class list of a project, and how it changes from one version to the next.

A class keeps its id, so a label means the same class in every version. Classes are added and renamed,
retired, merged and restored, templates are replaced, and the labelling screen shows classes in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property

from alworkbench.core.domain import ClassDraft, ClassList, Fault, JobKind, LabelClass
from alworkbench.core.domain.class_changes import (
    added,
    prompted,
    renamed,
    reordered,
    shown_as,
    with_examples,
)
from alworkbench.core.domain.class_draft import drafted, faults_of
from alworkbench.core.domain.class_words import returned
from alworkbench.core.domain.classes_in_use import merged, restored, retired
from alworkbench.core.errors import ChangedMeanwhile
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.base import Encoder
from alworkbench.project.class_preview import ClassPreviews
from alworkbench.project.class_texts import cut_names, encode_classes, same_names
from alworkbench.project.class_versions import (
    ChangeEffect,
    ClassVersion,
    earlier_name_faults,
    effect_of,
    history,
    refuse_earlier_names,
)
from alworkbench.project.find_image import find_image
from alworkbench.project.learners import Learners
from alworkbench.project.session import Session, refuse_open


class Classes:
    """Every version of the class list is kept; the newest one is used."""

    def __init__(self, session: Session, learners: Learners) -> None:
        self._session = session
        self._learners = learners

    def current(self) -> ClassList:
        """The newest version of the class list."""
        return self._session.classes()

    @cached_property
    def previews(self) -> ClassPreviews:
        """What the model would say with a class list that is not stored."""
        return ClassPreviews(self._session)

    def cut_names(self) -> tuple[str, ...]:
        """Names of classes with a prompt that the model cannot read to its end; see `class_texts`."""
        return cut_names(self._session, self.current())

    def same_names(self) -> tuple[tuple[str, ...], ...]:
        """Groups of classes that have the same text features, so that the model cannot tell them apart."""
        return same_names(self._session, self.current())

    def version(self, number: int) -> ClassList:
        """This version of the class list; the first is 1. Raises NotInProject."""
        with self._session.store.read() as reader:
            return reader.classes.get(number)

    def add(
        self, new: LabelClass, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """Store a new version of the class list with one more class. All answers stay.

        The prompts of the class are encoded by the project's encoder (or by `encoder`). Where labels
        were learned from, a new learner learns from all of them again, and is measured. Where the model
        was measured before any label, that is measured again. Raises RoundStillOpen, InvalidClassList,
        FeaturesMissing before the first encoding, EncoderMismatch, and UnknownEncoder where the features
        came from a file, since no encoder can then encode a name. ChangedMeanwhile where somebody else
        changed the classes. Nothing is stored where it ends early, whatever ends it.
        """
        with self._session.computing:
            return self._change(added(self.current(), new), encoder, progress)

    def use_templates(
        self,
        templates: Sequence[str],
        encoder: Encoder | None = None,
        progress: Progress = silent,
        name: str | None = None,
    ) -> ClassList:
        """Store a new version in which every class, or the class `name`, has these templates.

        All answers stay. What happens then, and the errors, are those of `add`; UnknownClass too. Where the
        classes have these templates already, nothing happens.
        """
        with self._session.computing:
            return self._change(prompted(self.current(), name, templates), encoder, progress)

    def retire(
        self, name: str, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """Store a new version in which this class is no longer in use: nobody is offered it, the model
        does not predict it, and its labels stay but teach nothing.

        What happens then, and the errors, are those of `add`; UnknownClass and ClassNotInUse too.
        """
        with self._session.computing:
            return self._change(retired(self.current(), name), encoder, progress)

    def merge(
        self,
        names: Sequence[str],
        into: str,
        encoder: Encoder | None = None,
        progress: Progress = silent,
    ) -> ClassList:
        """Store a new version in which these classes are no longer in use, and their labels count for `into`.

        The labels themselves stay what they were. What happens then, and the errors, are those of `retire`.
        """
        with self._session.computing:
            return self._change(merged(self.current(), names, into), encoder, progress)

    def restore(
        self, name: str, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """Store a new version in which a retired or merged class is in use again, with its own labels.

        What happens then, and the errors, are those of `add`; UnknownClass too.
        """
        with self._session.computing:
            return self._change(restored(self.current(), name), encoder, progress)

    def change_examples(
        self, name: str, added: Sequence[str] = (), removed: Sequence[str] = ()
    ) -> ClassList:
        """Store a new version in which the class has other example images on the labelling screen.

        Images are named by path, end of a path or content hash, and must be in the project. Nothing is
        learned, and a round may be open. Raises ImageNotFound, UnknownClass, InvalidClassList.
        """
        with self._session.computing:
            fresh, gone = self.find_images(added), self.find_images(removed)
            return self._change(with_examples(self.current(), name, fresh, gone), None, silent)

    def find_images(self, images: Sequence[str]) -> list[str]:
        """Content hashes of images of the project. Raises ImageNotFound."""
        with self._session.store.read() as reader:
            return [find_image(reader, image).hash for image in images]

    def rename(
        self, old: str, new: str, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """Store a new version of the class list in which the class `old` is called `new`.

        Its labels count for the new name. Prompts hold the name, so what follows, and the errors, are
        those of `add`; UnknownClass too. The earlier name of another class is refused.
        """
        with self._session.computing:
            return self._change(renamed(self.current(), old, new), encoder, progress)

    def reorder(self, first: Sequence[str]) -> ClassList:
        """Store a new version in which the labelling screen shows these classes first, in this order.

        The others follow as before. Nothing is learned, and a round may be open. Raises UnknownClass,
        InvalidClassList.
        """
        with self._session.computing:
            return self._change(reordered(self.current(), first), None, silent)

    def show_as(
        self,
        name: str,
        *,
        key: str | None = None,
        colour: str | None = None,
        description: str | None = None,
    ) -> ClassList:
        """Store a new version in which the labelling screen shows this class so.

        None leaves what is there; an empty text removes it. `key` is a digit or a small letter, `colour`
        is written as `#c03020`. Nothing is learned, and a round may be open. Raises UnknownClass,
        InvalidClassList.
        """
        with self._session.computing:
            changed = shown_as(
                self.current(), name, key=key, colour=colour, description=description
            )
            return self._change(changed, None, silent)

    def effect(self, changed: ClassList) -> ChangeEffect:
        """What a change of the newest version concerns; writes nothing.

        Raises RoundStillOpen and InvalidClassList as the change itself does.
        """
        with self._session.store.read() as reader:
            if not changed.same_for_model(reader.classes.current()):
                refuse_open(reader)
                refuse_earlier_names(reader, changed)
            return effect_of(reader, changed)

    def faults(self, draft: ClassDraft) -> list[Fault]:
        """Everything that is wrong with a draft, each with its class and field; empty for a good one."""
        with self._session.store.read() as reader:
            present = reader.classes.current()
            found = list(faults_of(present, draft))
            return found or earlier_name_faults(reader, draft)

    def apply(
        self, draft: ClassDraft, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """Store all changes of a draft as one new version; the model learns once.

        What happens then, and the errors, are those of `add`; InvalidClassList for a draft with a fault,
        ChangedMeanwhile for one that was made from an earlier version.
        """
        with self._session.computing:
            return self._change(drafted(self.current(), draft), encoder, progress)

    def go_back(
        self, number: int, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """Store a new version that is like the earlier version `number`; see `class_words.returned`.

        What happens then, and the errors, are those of `add`; NotInProject for an unknown version.
        """
        with self._session.computing:
            return self._change(returned(self.current(), self.version(number)), encoder, progress)

    def history(self) -> list[ClassVersion]:
        """Every version of the class list with what changed, oldest first."""
        with self._session.store.read() as reader:
            return history(reader)

    def _change(self, classes: ClassList, encoder: Encoder | None, progress: Progress) -> ClassList:
        """Store a new version; where the model reads it otherwise, encode its prompts, learn and measure."""
        session, present = self._session, self.current()
        if classes == present:
            return present
        if classes.same_for_model(present):
            with session.store.write() as writer:
                _refuse_other(writer, classes)
                return writer.classes.add(classes, session.now())
        with session.jobs.claim(JobKind.LEARN, lambda: "change the classes", progress) as told:
            return self._change_model(classes, encoder, told)

    def _change_model(
        self, changed: ClassList, encoder: Encoder | None, progress: Progress
    ) -> ClassList:
        """The version, its measurement and its learner are stored together, or none of them."""
        session = self._session
        with session.store.read() as reader:
            refuse_open(reader)
            refuse_earlier_names(reader, changed)
            last = reader.rounds.all()[-1:] if reader.computed.learner() is not None else []
            was_measured = any(each.learner_id is None for each in reader.computed.metrics())
        encode_classes(session, changed, encoder, progress)
        with session.store.write() as writer:
            refuse_open(writer)
            # No version names the ids of new classes before the end.
            classes = writer.classes.number(changed)
        measured = self._learners.measured_zero_shot(classes) if was_measured else None
        with ExitStack() as whole:
            found = None
            for round_ in last:
                found = whole.enter_context(
                    self._learners.computed(round_, progress, classes=classes)
                )
            writer = whole.enter_context(session.store.write())
            refuse_open(writer)  # one may have been opened meanwhile
            _refuse_other(writer, changed)
            stored = writer.classes.add(classes, session.now())
            if measured is not None:
                writer.computed.add_metrics(measured)
            if found is not None:
                found = replace(found, classes=stored)
                learner, _ = found.store(writer, session.now())
        if found is not None:
            self._learners.keep(found, learner)
        return stored


def _refuse_other(reader: Reader, changed: ClassList) -> None:
    """Raises ChangedMeanwhile where this list was not made from the newest version (its id says which)."""
    if reader.classes.current().id != changed.id:
        raise ChangedMeanwhile("somebody else changed the class list", "alworkbench classes")
