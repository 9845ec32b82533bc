"""The state of a project in figures, and the next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from alworkbench.core.domain import (
    AnswerKind,
    MetricRecord,
    NameKnowledge,
    Role,
    Round,
    RoundState,
)
from alworkbench.project.encoding_counts import encoding_counts
from alworkbench.project.image_files import Fault, count_faults, file_faults
from alworkbench.project.mass_refusal import reasons_in_words
from alworkbench.project.name_findings import NameFindings, name_findings
from alworkbench.project.next_step import Step, next_step
from alworkbench.project.session import Session, stored_id


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a project in figures."""

    name: str
    encoder: str
    """Id of the encoder once images have features; before, what was chosen."""
    pool_images: int
    audit_images: int
    quarantined: int
    """Files that no import could read, and images that the encoder refused."""
    encoded: int
    """Images with features, in pool and audit set."""
    classes: tuple[str, ...]
    labels: int
    """Pool images with a class label."""
    labels_per_class: tuple[int, ...]
    skipped: int
    """Pool images that were skipped or answered with `cannot tell`."""
    rounds_closed: int
    open_round: Round | None
    open_answered: int
    has_posterior: bool
    zero_shot_accuracy: float | None
    """Accuracy on the audit set of the model before any label."""
    audit_accuracy: float | None
    """Accuracy on the audit set of the newest learner; None before the first."""
    next_step: str
    """What to do now, with the command that does it."""
    step: Step = Step.ASK
    class_list: int = 1
    """Version of the class list; the first is 1."""
    leave_one_out: Mapping[str, Any] | None = None
    """Accuracy of the newest learner on its own labels, each left out; see `adaptation.leave_one_out`."""
    model: str = ""
    """The encoder as it was chosen: `bundled`, `ARCH:TAG`, `ARCH:path` or `features:NAME`."""
    names: tuple[NameKnowledge, ...] = ()
    """What the model knows of each class name, in their order; empty where that is unknown."""

    refused: Mapping[str, int] = field(default_factory=dict)
    """Why images have no features although they were encoded -> how many."""
    file_faults: Mapping[Fault, int] | None = None
    """Images whose file is missing, changed or unreadable -> how many; None where files were not checked."""
    retired_classes: Mapping[str, int] = field(default_factory=dict)
    """Name of a retired class -> pool images whose label names it. These labels teach nothing."""
    same_names: tuple[tuple[str, ...], ...] = ()
    """Groups of classes with the same text features: before any label, the model cannot tell them apart."""

    @property
    def unknown_classes(self) -> tuple[str, ...]:
        """Class names that the model does not know. Their first labels help most."""
        return tuple(each.name for each in self.names if each.unknown)

    def facts(self) -> list[tuple[str, str]]:
        """The figures as names and words, in the order in which they are shown."""
        refused = f", {reasons_in_words(self.refused)}" if self.refused else ""
        facts = [
            ("project", self.name),
            ("encoder", self.encoder),
            ("images", f"{self.pool_images} pool, {self.audit_images} audit set"),
            ("encoded", f"{self.encoded}"),
            ("unreadable", f"{self.quarantined}{refused}"),
            *(
                (f"{fault} files", f"{count}: these images are not asked; see `alworkbench doctor`")
                for fault, count in (self.file_faults or {}).items()
            ),
            (
                "labels",
                f"{self.labels} in {self.rounds_closed} closed rounds, {self.skipped} skipped",
            ),
        ]
        if self.open_round:
            asked = self.open_round
            words = f"{asked.number}: {self.open_answered} of {asked.batch_size} answered"
            facts.append(("open round", words))
        if self.unknown_classes:
            words = (
                f"{', '.join(self.unknown_classes)}: the encoder did not see these names in "
                f"training, so their first labels improve it most"
            )
            facts.append(("unknown names", words))
        for group in self.same_names:
            words = f"{', '.join(group)}: the model cannot tell these classes apart by their names"
            facts.append(("same text", words))
        if self.class_list > 1:
            facts.append(("classes", f"{len(self.classes)}, version {self.class_list} of the list"))
        if self.retired_classes:
            words = ", ".join(
                f"{name} ({count} labels)" for name, count in self.retired_classes.items()
            )
            facts.append(
                ("retired", f"{words}: these labels teach nothing until the class is restored")
            )
        for name, accuracy in (
            ("zero-shot accuracy", self.zero_shot_accuracy),
            ("accuracy now", self.audit_accuracy),
        ):
            if accuracy is not None:
                facts.append((name, f"{accuracy:.3f} on the audit set"))
        if self.leave_one_out is not None:
            facts.append(("labels left out", left_out_words(self.leave_one_out)))
        return [*facts, ("next", self.next_step)]

    def __repr__(self) -> str:
        """One line: the name, the counts and the next step."""
        return (
            f"<Status of {self.name!r}: {self.pool_images} pool and {self.audit_images} audit images, "
            f"{self.labels} labels. {self.next_step}>"
        )

    def __str__(self) -> str:
        """All figures, one in a line."""
        width = max(len(name) for name, _ in self.facts())
        return "\n".join(f"{name:<{width}}  {words}" for name, words in self.facts())

    def _repr_html_(self) -> str:
        """All figures as a table, which notebooks show."""
        rows = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(words)}</td></tr>'
            for name, words in self.facts()
        )
        return f"<table>{rows}</table>"


def left_out_words(found: Mapping[str, Any]) -> str:
    """Figures of left-out labels in words, with a warning that they do not measure the pool."""
    labels, groups = int(found["labels"]), int(found["groups"])
    each = "each alone" if groups == labels else f"in {groups} groups"
    return (
        f"accuracy {found['accuracy']:.3f} ({found['accuracy_low']:.3f} to "
        f"{found['accuracy_high']:.3f}), calibration error {found['ece']:.3f}, over "
        f"{labels} labels, left out {each}. The figures are about these images. They are not about the "
        f"pool, unless the images were drawn at random"
    )


def read_status(session: Session, check_files: bool = False) -> Status:
    """Count what the project holds. Nothing is computed over the pool, and no tensors are loaded.

    Only the first status after a change of the class names or the posterior computes what the model reads
    of the names (`name_findings`).
    With `check_files`, the size and time of every image file are compared with those of its import.
    """
    with session.store.read() as reader:
        settings = reader.settings()
        classes = reader.classes.current()
        current = reader.rounds.current()
        items = reader.rounds.items(current.id) if current else []
        labels = reader.labels.current(Role.POOL)
        metrics = reader.computed.metrics()
        encoder = reader.computed.encoder()
        posterior = reader.computed.posterior(encoder.id) if encoder else None
        newest = reader.computed.learner()
        counts = None if encoder is None else encoding_counts(session, reader, encoder)
        pool, audit = reader.images.count(Role.POOL), reader.images.count(Role.AUDIT)
        quarantined = len(reader.images.quarantined())
        closed = sum(r.state is RoundState.CLOSED for r in reader.rounds.all())
    encoded, unanswered, read = 0, 0, NameFindings()
    refused: Mapping[str, int] = {}
    if encoder is not None and counts is not None:
        encoded, refused = counts.encoded, counts.refused
        unanswered = pool - len(counts.pool_without.union(labels))
        read = name_findings(session, classes, encoder, posterior)
    faults = count_faults(file_faults(session)) if check_files and session.has_files else None
    set_aside = sum(refused.values())
    named = Counter(label.class_id for label in labels.values() if label.kind is AnswerKind.CLASS)
    of_class = [0] * len(classes)
    for class_id, position in classes.counted.items():
        of_class[position] += named[class_id]
    answered = sum(item.complete for item in items)
    step, words = next_step(
        pool,
        encoded + set_aside < pool + audit,
        set_aside if encoded == 0 else 0,
        sum(faults.values()) if faults else 0,
        posterior,
        current,
        items,
        unanswered,
    )
    return Status(
        name=settings.name,
        encoder=encoder.id if encoder else settings.encoder,
        model=encoder.spec if encoder else settings.encoder,
        pool_images=pool,
        audit_images=audit,
        quarantined=quarantined + set_aside,
        encoded=encoded,
        classes=classes.names,
        labels=named.total(),
        labels_per_class=tuple(of_class),
        retired_classes={
            c.name: named[c.id] for c in classes.former if c.id not in classes.counted
        },
        skipped=len(labels) - named.total(),
        rounds_closed=closed,
        open_round=current,
        open_answered=answered,
        has_posterior=posterior is not None,
        zero_shot_accuracy=newest_accuracy([m for m in metrics if m.learner_id is None]),
        audit_accuracy=newest_accuracy([m for m in metrics if m.learner_id is not None]),
        next_step=words,
        step=step,
        refused=refused,
        file_faults=faults,
        class_list=stored_id(classes.id),
        leave_one_out=newest.settings.get("leave_one_out") if newest else None,
        names=read.known,
        same_names=read.same,
    )


def newest_accuracy(metrics: Sequence[MetricRecord]) -> float | None:
    """The accuracy that was measured last; None before the first measurement."""
    return float(metrics[-1].values["accuracy"]) if metrics else None
