"""Imports as recorded jobs: looked at first, then done, each with a report that is kept.

    workbench.incoming.check(order)     the dry run
    workbench.incoming.run(order)       the import
    workbench.incoming.encode()         the features of all images that have none

They do what `Images.add`, `Labels.import_file` and `ImageFeatures` do with the same options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alworkbench.core.domain import ImportSummary, JobKind
from alworkbench.core.errors import ImagesRefused
from alworkbench.core.progress import Progress, silent
from alworkbench.core.words import counted
from alworkbench.engines.engine import Engine
from alworkbench.project.import_orders import Brought, ImportOrder
from alworkbench.project.import_reports import (
    ImportReport,
    forget_report,
    keep_report,
    kept_reports,
)
from alworkbench.project.import_words import (
    encoding_words,
    import_notes,
    import_preview_words,
    import_words,
    label_preview_words,
    label_words,
    no_feature_words,
    no_import_words,
    no_label_words,
    taken_words,
    unreadable,
)
from alworkbench.project.label_findings import OTHER, Problem
from alworkbench.project.label_intake import LabelSummary
from alworkbench.project.session import Session
from alworkbench.project.uploads import Uploads

if TYPE_CHECKING:
    from alworkbench.project.artifacts import FeaturesSummary
    from alworkbench.project.image_features import ImageFeatures
    from alworkbench.project.imports import Images
    from alworkbench.project.labels import Labels

MOST_PATHS = 5
"""Paths that a note names."""


class Incoming:
    """Everything that comes into a project from outside."""

    def __init__(
        self,
        session: Session,
        images: Images,
        labels: Labels,
        features: Callable[[], ImageFeatures],
    ) -> None:
        self._session = session
        self._images = images
        self._labels = labels
        self._features = features
        self.uploads = Uploads(session)

    def reports(self) -> list[ImportReport]:
        """The reports of the last imports and encodings, newest first."""
        return kept_reports(self._session.folder)

    def sent_before(self) -> ImportOrder | None:
        """The order of the newest look, where it was at files that were sent and are neither imported nor
        dropped: they can be looked at again with other options."""
        newest = next((each for each in self.reports() if not each.exported), None)
        if newest is None or not newest.dry_run or newest.order is None:
            return None
        return newest.order if self.uploads.has(newest.order.location) else None

    def drop(self, report: ImportReport, still: Path | None = None) -> None:
        """Forget a dry run: its report, and what was sent to the server for it, unless it is at `still`."""
        if report.order is not None and report.dry_run:
            if report.order.location != still:
                self.uploads.discard(report.order.location)
            forget_report(self._session.folder, report)

    def check(self, order: ImportOrder, progress: Progress = silent) -> ImportReport:
        """What `run` would do; nothing is stored. Raises what the previews raise, and JobRuns.

        Where it cannot be looked at, what was sent to the server stays, with a report that says why: it may
        be looked at again with other options, or dropped.
        """
        with self._recorded(order, f"look at {order.name}", progress) as told:
            try:
                return self._looked_at(order, told)
            except Exception as problem:  # not where the program is stopped: the job goes on later
                if self.uploads.has(order.location):
                    # Whoever sent it knows its name, and not the place where it lies.
                    why = Problem(
                        OTHER, 1, (str(problem).replace(str(order.location), order.name),)
                    )
                    self._kept(order, "It could not be read.", problems=(why,), dry_run=True)
                raise

    def _looked_at(self, order: ImportOrder, told: Progress) -> ImportReport:
        match order.what:
            case Brought.IMAGES:
                found = self._images.preview(order.location, **image_options(order), progress=told)
                notes, bad = import_notes(found.would), unreadable(found.would)
                words, problems = import_preview_words(found), found.problems
                nothing = no_import_words(found.would, sent=self.uploads.has(order.location))
            case Brought.LABELS:
                seen = self._labels.preview(
                    order.location,
                    order.annotator,
                    order.roles,
                    mapping=order.mapping,
                    format=order.format,
                    history=order.history,
                )
                notes, bad = _label_notes(seen.would), []
                words, problems = label_preview_words(seen), seen.problems
                nothing = no_label_words(seen.would)
            case Brought.FEATURES:
                rows, here = self._features().look(order.location, told)
                notes, bad, problems = [], [], ()
                words = (
                    f"The file has {counted(rows, 'row')}; {here:,} are of images of this project."
                )
                nothing = no_feature_words(here)
        return self._kept(
            order,
            words,
            notes=notes,
            unreadable=bad,
            problems=problems,
            nothing="" if problems else nothing,
            dry_run=True,
        )

    def run(self, order: ImportOrder, progress: Progress = silent) -> None:
        """Import, and keep a report; see the method for what the order brings. Raises what that raises."""
        match order.what:
            case Brought.IMAGES:
                self.import_images(order, progress)
            case Brought.LABELS:
                self.record_labels(order, progress)
            case Brought.FEATURES:
                self.take_features(order, progress)

    def import_images(self, order: ImportOrder, progress: Progress = silent) -> ImportSummary:
        """What `Images.add` does, as a job with a report. Raises JobRuns where another import runs.

        A single uploaded file is deleted once what it holds is in the project. Where most files could not be
        read, the others are in the project, and the report says so.
        """
        with (
            self._recorded(order, f"import {order.name}", progress) as told,
            self._refusals_kept(order),
        ):
            done = self._images.add(order.location, **image_options(order), progress=told)
            self._kept(
                order,
                import_words(done),
                notes=import_notes(done),
                unreadable=unreadable(done),
            )
        self.uploads.used(order.location)
        return done

    def record_labels(self, order: ImportOrder, progress: Progress = silent) -> LabelSummary:
        """What `Labels.import_file` or `Labels.import_history` does, as a job with a report.

        Raises JobRuns where another import runs.
        """
        with self._recorded(order, f"read labels of {order.name}", progress) as told:
            told("recording labels", 0, 1)
            if order.history:
                done = self._labels.import_history(order.location, order.roles, format=order.format)
            else:
                done = self._labels.import_file(
                    order.location,
                    order.annotator,
                    order.roles,
                    mapping=order.mapping,
                    format=order.format,
                )
            self._kept(order, label_words(done), notes=_label_notes(done))
        self.uploads.used(order.location)
        return done

    def take_features(self, order: ImportOrder, progress: Progress = silent) -> FeaturesSummary:
        """What `ImageFeatures.take` does, as a job with a report. Raises JobRuns while images are encoded."""
        with self._recorded(order, f"take features of {order.name}", progress) as told:
            done = self._features().take(order.location, told)
            bad = [(each.name, "unusable", each.reason) for each in done.unusable]
            self._kept(order, taken_words(done, order.name), unreadable=bad)
        self.uploads.used(order.location)
        return done

    def take_published(self, address: str, progress: Progress = silent) -> FeaturesSummary:
        """What `ImageFeatures.take` does with an address, as a job with a report. Raises JobRuns, too."""
        title = f"take features of {address}"
        with self._session.jobs.claim(JobKind.ENCODE, lambda: title, progress) as told:
            done = self._features().take(address, told)
            bad = [(each.name, "unusable", each.reason) for each in done.unusable]
            self._kept(None, taken_words(done, address), unreadable=bad)
        return done

    def encode(
        self,
        *,
        workers: int | None = None,
        batch_size: int = 64,
        engine: Engine | None = None,
        progress: Progress = silent,
    ) -> FeaturesSummary:
        """Compute the features of images without features, and keep a report; see `ImageFeatures.encode`.

        Raises JobRuns where images are being encoded.
        """
        with (
            self._session.jobs.claim(JobKind.ENCODE, lambda: "encode images", progress) as told,
            self._refusals_kept(None),
        ):
            done = self._features().encode(
                workers=workers, batch_size=batch_size, engine=engine, progress=told
            )
            notes = [f"{number:,} x {reason}" for reason, number in done.reasons.items()]
            self._kept(None, encoding_words(done), notes=notes)
        return done

    @contextmanager
    def _recorded(self, order: ImportOrder, title: str, progress: Progress) -> Iterator[Progress]:
        with self._session.jobs.claim(kind_of(order), lambda: title, progress) as told:
            yield told

    @contextmanager
    def _refusals_kept(self, order: ImportOrder | None) -> Iterator[None]:
        """Keep a report where most were set aside: what succeeded is stored nevertheless.

        An upload that no image of the project lies in, such as an archive, is deleted then: its report can no
        longer be imported or dropped.
        """
        try:
            yield
        except ImagesRefused as refused:
            self._kept(order, str(refused), unreadable=refused.files)
            if order is not None:
                self.uploads.discard(order.location)
            raise

    def _kept(self, order: ImportOrder | None, words: str, **more: Any) -> ImportReport:
        kind = JobKind.ENCODE if order is None else kind_of(order)
        job = self._session.jobs.held(kind)
        report = ImportReport(
            job_id=0 if job is None else job.id,
            kind=kind,
            by="" if job is None else job.asked_by,
            at=self._session.now(),
            words=words,
            order=order,
            **more,
        )
        if job is not None:
            keep_report(self._session.folder, report)
        return report


def kind_of(order: ImportOrder) -> JobKind:
    """The kind of its job: features are written by one process at a time."""
    return JobKind.ENCODE if order.what is Brought.FEATURES else JobKind.IMPORT


def image_options(order: ImportOrder) -> dict[str, Any]:
    """The options of `Images.add` and `Images.preview`."""
    return {
        "role": order.role,
        "pool_labels": order.pool_labels,
        "roles": order.roles,
        "follow_links": order.follow_links,
        "white_point": order.white_point,
        "mapping": order.mapping,
    }


def _label_notes(done: LabelSummary) -> list[str]:
    if not done.other_pictures:
        return []
    more = len(done.other_pictures) - MOST_PATHS
    named = ", ".join(done.other_pictures[:MOST_PATHS]) + (f" and {more:,} more" * (more > 0))
    return [
        f"{counted(len(done.other_pictures), 'path')} of the file hold another picture now: {named}. Their "
        f"labels belong to the content hash in the file, and not to what is at the path now."
    ]
