"""The zero-shot model and every stored learner measured on the audit set; nothing is stored."""

from __future__ import annotations

from collections.abc import Callable

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.learner_file import load_learner
from alworkbench.core.domain import ClassList, LearnerRecord, MetricRecord, PosteriorRecord
from alworkbench.core.progress import Progress
from alworkbench.project.class_versions import same_versions
from alworkbench.project.measurements import Measurements
from alworkbench.project.session import Session

Load = Callable[[LearnerRecord | None, ClassList, PosteriorRecord | None], Learner]
"""`Learners.load`."""


def measured_zero_shot(
    session: Session, measurements: Measurements, load: Load, classes: ClassList
) -> MetricRecord | None:
    """The model before any label, with this class list; None without an audit set.

    Raises FeaturesMissing, PosteriorMissing.
    """
    with session.store.read() as reader:
        newest = session.posterior_record(reader)
    return measurements.compute(load(None, classes, newest), classes, 0, None, 0)


def measured_learners(
    session: Session, measurements: Measurements, load: Load, progress: Progress
) -> list[MetricRecord]:
    """The zero-shot model and every learner of this class list, oldest first; empty without an audit set.

    No learner is measured on an image that it has learned from.
    """
    with session.store.read() as reader:
        classes = reader.classes.current()
        same = same_versions(reader, classes)
        learners = [each for each in reader.computed.learners() if each.class_list_id in same]
        belief = {each.id: each for each in reader.computed.posteriors()}
        number = {each.id: each.number for each in reader.rounds.all()}
    progress("measuring", 0, len(learners) + 1)
    measured = [measured_zero_shot(session, measurements, load, classes)]
    for done, each in enumerate(learners, start=1):
        progress("measuring", done, len(learners) + 1)
        learner = load(each, classes, belief[each.posterior_id])
        learned = load_learner(session.folder.path / each.file).hashes
        measured.append(
            measurements.compute(
                learner, classes, number[each.round_id], each.id, each.labels, learned
            )
        )
    progress("measuring", len(learners) + 1, len(learners) + 1)
    return [each for each in measured if each is not None]
