"""Everything that can be done with one project, grouped by what it is done to.

Screens, commands and simulations use these objects and nothing below them. An object that needs tensors is
made, and its module imported, when it is first used: torch takes seconds and hundreds of MiB to load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.ports import Store
from alworkbench.core.progress import Progress, silent
from alworkbench.project.image_card import Cards
from alworkbench.project.imports import Images
from alworkbench.project.incoming import Incoming
from alworkbench.project.labels import Labels
from alworkbench.project.notes import Notes
from alworkbench.project.people import People
from alworkbench.project.roles import Roles
from alworkbench.project.session import Session, utc_now
from alworkbench.project.status import Status, read_status
from alworkbench.project.team import Team

if TYPE_CHECKING:
    import torch

    from alworkbench.adaptation.adaptation_settings import Strengths
    from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
    from alworkbench.project.arrays import Arrays
    from alworkbench.project.artifacts import Engine
    from alworkbench.project.audit_set import Audit
    from alworkbench.project.backup import BackupSummary
    from alworkbench.project.classes import Classes
    from alworkbench.project.explain import Explanations
    from alworkbench.project.gallery import Gallery
    from alworkbench.project.image_features import ImageFeatures
    from alworkbench.project.learners import Learners
    from alworkbench.project.measurements import Measurements
    from alworkbench.project.posteriors import Posteriors
    from alworkbench.project.predictions import Predictions
    from alworkbench.project.prepared_rounds import PreparedRounds
    from alworkbench.project.prompt_templates import Prompts
    from alworkbench.project.prompt_tuning import PromptTuning
    from alworkbench.project.rounds import Rounds
    from alworkbench.project.support_sets import SupportSets
    from alworkbench.project.tables import Tables
    from alworkbench.project.target_sets import Targets


class Workbench:
    """One open project. Threads of one process may share it.

    Each object works on the session and on objects that stand before it here:

        session         folder, store, engine, clock and lock of the project
        posteriors      fitted, imported, exported
        images          imported and shown
        features        computed by the encoder, or read from a file
        incoming        imports and encoding as recorded jobs, each with its report
        jobs            what is computed now, by whomever, and how it ended
        people          who works on the project, and where they signed in
        team            agreement and pace of people, cases for a reviewer
        roles           images moved between pool and audit set on purpose
        targets         images outside of the pool whose predictions matter
        labels          items claimed, answers recorded and taken back, label files
        notes           what people wrote about images, and flags
        measurements    accuracy on the audit set
        learners        the model adapted to the labels
        predictions     calibrated classes and probabilities of all images
        classes         the class list
        prompts         templates of the classes compared and replaced
        tuning          prompts tuned for each image, into a file of answers
        rounds          the pool ranked, a batch asked, the round closed
        prepared        the next round, ready while one is open
        explanations    why the model is uncertain about an image
        gallery         all images, filtered, sorted and searched
        cards           all that is known of one image, for the person who looks
        audit           the audit set drawn, accuracy, errors and calibration, the advice when to stop
        support_sets    labelled images chosen for a target
        tables          images, labels, predictions and rounds as pandas tables
        arrays          features and labels as arrays for scikit-learn
    """

    def __init__(
        self,
        folder: ProjectFolder,
        store: Store,
        *,
        engine: Engine | None = None,
        device: torch.device | None = None,
        strengths: Strengths | None = None,
        targets: Sequence[str] = (),
        clock: Callable[[], datetime] = utc_now,
        take_snapshots: bool = True,
        asked_by: str = "a script",
    ) -> None:
        """Open a project whose store is open already. A `with` block closes the store at its end.

        `engine` replaces the one of the folder (see `Session`), `targets` are content hashes (see
        `Rounds`), `take_snapshots` records what stopping rules read (see `Learners`).
        """
        self.session = Session(
            folder, store, engine=engine, device=device, clock=clock, asked_by=asked_by
        )
        self.jobs = self.session.jobs
        self._closed = False
        self.images = Images(self.session)
        self.labels = Labels(self.session)
        self.notes = Notes(self.session)
        self.incoming = Incoming(self.session, self.images, self.labels, lambda: self.features)
        self.people = People(self.session)
        self.roles = Roles(self.session)
        self.team = Team(self.session, lambda: self.learners)
        self.cards = Cards(self.session, lambda: self.predictions, lambda: self.gallery)
        self._strengths = strengths
        self._targets = tuple(targets)
        self._take_snapshots = take_snapshots

    @cached_property
    def posteriors(self) -> Posteriors:
        """Fitted, imported, exported."""
        from alworkbench.project.posteriors import Posteriors

        return Posteriors(self.session)

    @cached_property
    def features(self) -> ImageFeatures:
        """Computed by the encoder, or read from a file."""
        from alworkbench.project.image_features import ImageFeatures

        return ImageFeatures(self.session, self.posteriors)

    @cached_property
    def targets(self) -> Targets:
        """Images outside of the pool whose predictions matter."""
        from alworkbench.project.target_sets import Targets

        return Targets(self.session)

    @cached_property
    def measurements(self) -> Measurements:
        """Accuracy on the audit set."""
        from alworkbench.project.measurements import Measurements

        return Measurements(self.session)

    @cached_property
    def learners(self) -> Learners:
        """The model adapted to the labels."""
        from alworkbench.project.learners import Learners

        return Learners(
            self.session,
            self.measurements,
            strengths=self._strengths,
            take_snapshots=self._take_snapshots,
        )

    @cached_property
    def predictions(self) -> Predictions:
        """Calibrated classes and probabilities of all images."""
        from alworkbench.project.predictions import Predictions

        return Predictions(self.session, self.learners)

    @cached_property
    def classes(self) -> Classes:
        """The class list, and how it changes."""
        from alworkbench.project.classes import Classes

        return Classes(self.session, self.learners)

    @cached_property
    def prompts(self) -> Prompts:
        """Templates of the classes compared and replaced."""
        from alworkbench.project.prompt_templates import Prompts

        return Prompts(self.session, self.classes)

    @cached_property
    def tuning(self) -> PromptTuning:
        """Prompts tuned for each image, into a file of answers."""
        from alworkbench.project.prompt_tuning import PromptTuning

        return PromptTuning(self.session)

    @cached_property
    def rounds(self) -> Rounds:
        """The pool ranked, a batch asked, the round closed."""
        from alworkbench.project.rounds import Rounds

        return Rounds(
            self.session,
            self.posteriors,
            self.measurements,
            self.learners,
            self.predictions,
            targets=self._targets,
        )

    @cached_property
    def prepared(self) -> PreparedRounds:
        """The next round prepared while one is open, and handing over to it."""
        from alworkbench.project.prepared_rounds import PreparedRounds

        return PreparedRounds(self.session, self.learners, self.rounds.ranking)

    @cached_property
    def explanations(self) -> Explanations:
        """Why the model is uncertain about an image."""
        from alworkbench.project.explain import Explanations

        return Explanations(self.session, self.learners, self.predictions)

    @cached_property
    def gallery(self) -> Gallery:
        """All images, filtered, sorted and searched."""
        from alworkbench.project.gallery import Gallery

        return Gallery(self.session, lambda: self.predictions, lambda: self.audit.evidence)

    @cached_property
    def audit(self) -> Audit:
        """The audit set drawn, the accuracy report, errors and calibration, the advice when to stop."""
        from alworkbench.project.audit_set import Audit

        return Audit(self.session, lambda: self.learners, lambda: self.predictions)

    @cached_property
    def support_sets(self) -> SupportSets:
        """Labelled images chosen for a target."""
        from alworkbench.project.support_sets import SupportSets

        return SupportSets(self.session, self.posteriors, self.predictions)

    @cached_property
    def tables(self) -> Tables:
        """Images, labels, predictions and rounds as pandas tables."""
        from alworkbench.project.tables import Tables

        return Tables(self.session, lambda: self.predictions)

    @cached_property
    def arrays(self) -> Arrays:
        """Features and labels as arrays for scikit-learn."""
        from alworkbench.project.arrays import Arrays

        return Arrays(self.session)

    def classifier(self, **parameters: Any) -> LaplaceVLMClassifier:
        """The project's model before any label, as a scikit-learn classifier that can be fitted.

            model = workbench.classifier()
            labelled = workbench.arrays.labelled()
            model.fit(labelled.X, labelled.y, labelled.sample_weight)

        It knows head, posterior, class activations and class names, so that it predicts without `fit`.
        `parameters` are further ones of LaplaceVLMClassifier. Raises FeaturesMissing, PosteriorMissing.
        """
        from alworkbench.project.arrays import project_classifier

        return project_classifier(self.session, **parameters)

    def __repr__(self) -> str:
        """The folder and the device; reads nothing, so that it also works after `close`."""
        return f"<Workbench of {str(self.session.folder.path)!r} on {self.session.device}>"

    def _repr_html_(self) -> str | None:
        """The status for notebooks; None after `close`."""
        return None if self._closed else self.status()._repr_html_()

    def backup(
        self, target: str | Path, *, with_images: bool = False, progress: Progress = silent
    ) -> BackupSummary:
        """Back up into the new folder `target` while others label; `api.restore` makes it a project again."""
        from alworkbench.project.backup import back_up

        return back_up(self.session, Path(target), with_images=with_images, progress=progress)

    def close(self) -> None:
        """Close the store. A `with` block does so at its end."""
        self._closed = True
        self.session.store.close()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def status(self, *, check_files: bool = False) -> Status:
        """The project in figures, and what to do next; with `check_files`, also images without their file."""
        return read_status(self.session, check_files)
