"""The class list of a project, and how it grows."""

from __future__ import annotations

from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import EncoderMismatch
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders import load_encoder
from alworkbench.encoders.base import Encoder
from alworkbench.features.store import FeatureStore
from alworkbench.project.image_features import encode_names
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

    def add(
        self, added: LabelClass, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """Store a new version of the class list with one more class. All answers stay.

        The prompts of the class are encoded by the project's encoder (or by `encoder`). Where labels
        were learned from, a new learner learns from all of them again, and is measured. Raises
        RoundStillOpen, InvalidClassList, FeaturesMissing before the first encoding, EncoderMismatch, and
        UnknownEncoder where the features came from a file, since no encoder can then encode a name.
        """
        session = self._session
        with session.computing:
            with session.store.read() as reader:
                refuse_open(reader)
                classes = reader.classes.current()
                has_learned = reader.computed.learner() is not None
                name = reader.settings().encoder
            larger = ClassList((*classes.classes, added))
            known = session.engine().encoder_id
            if FeatureStore(session.folder.features / known).missing_prompts(list(added.prompts)):
                encoder = encoder or load_encoder(name, session.device)
                if encoder.id != known:
                    raise EncoderMismatch("The project's features", known, encoder.id)
                encode_names(session.folder, encoder, larger)
            with session.store.write() as writer:
                stored = writer.classes.add(larger, session.now())
            if has_learned:
                self._learners.learn(progress)
            return stored
