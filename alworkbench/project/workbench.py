"""Everything that can be done with one project, grouped by what it is done to.

Screens, commands and simulations use these objects and nothing below them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.core.domain import ProjectFolder
from alworkbench.core.ports import Store
from alworkbench.project.artifacts import Engine
from alworkbench.project.audit_set import Audit
from alworkbench.project.classes import Classes
from alworkbench.project.explain import Explanations
from alworkbench.project.image_features import ImageFeatures
from alworkbench.project.imports import Images
from alworkbench.project.labels import Labels
from alworkbench.project.learners import Learners
from alworkbench.project.measurements import Measurements
from alworkbench.project.posteriors import Posteriors
from alworkbench.project.predictions import Predictions
from alworkbench.project.prompt_templates import Prompts
from alworkbench.project.prompt_tuning import PromptTuning
from alworkbench.project.roles import Roles
from alworkbench.project.rounds import Rounds
from alworkbench.project.session import Session, utc_now
from alworkbench.project.status import Status, read_status
from alworkbench.project.support_sets import SupportSets
from alworkbench.project.target_sets import Targets

if TYPE_CHECKING:
    from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
    from alworkbench.project.arrays import Arrays
    from alworkbench.project.tables import Tables


class Workbench:
    """One open project. Threads of one process may share it.

    Each object works on the session and on objects that stand before it here:

        session         folder, store, engine, clock and lock of the project
        posteriors      fitted, imported, exported
        images          imported and shown
        features        computed by the encoder, or read from a file
        roles           images moved between pool and audit set on purpose
        targets         images outside of the pool whose predictions matter
        labels          items claimed, answers recorded and taken back, label files
        measurements    accuracy on the audit set
        learners        the model adapted to the labels
        predictions     calibrated classes and probabilities of all images
        classes         the class list
        prompts         templates of the classes compared and replaced
        tuning          prompts tuned for each image, into a file of answers
        rounds          the pool ranked, a batch asked, the round closed
        explanations    why the model is uncertain about an image
        audit           the audit set drawn, the accuracy report, the advice when to stop
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
    ) -> None:
        """Open a project whose store is open already. A `with` block closes the store at its end.

        `engine` replaces the one of the folder (see `Session`), `targets` are content hashes (see
        `Rounds`), `take_snapshots` records what stopping rules read (see `Learners`).
        """
        session = Session(folder, store, engine=engine, device=device, clock=clock)
        self.session = session
        self._closed = False
        self.posteriors = Posteriors(session)
        self.images = Images(session)
        self.features = ImageFeatures(session, self.posteriors)
        self.roles = Roles(session)
        self.targets = Targets(session)
        self.labels = Labels(session)
        self.measurements = Measurements(session)
        self.learners = Learners(
            session, self.measurements, strengths=strengths, take_snapshots=take_snapshots
        )
        self.predictions = Predictions(session, self.learners)
        self.classes = Classes(session, self.learners)
        self.prompts = Prompts(session, self.classes)
        self.tuning = PromptTuning(session)
        self.rounds = Rounds(
            session,
            self.posteriors,
            self.measurements,
            self.learners,
            self.predictions,
            targets=targets,
        )
        self.explanations = Explanations(session, self.learners, self.predictions)
        self.audit = Audit(session)
        self.support_sets = SupportSets(session, self.posteriors, self.predictions)

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
        """The status, which notebooks show. None after `close`: a notebook then shows the folder."""
        return None if self._closed else self.status()._repr_html_()

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
        return read_status(self.session, self.posteriors, check_files)
