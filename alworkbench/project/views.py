"""What a project holds, for screens and commands: nothing here writes."""

from __future__ import annotations

from alworkbench.acquisition.catalogue import STRATEGIES
from alworkbench.acquisition.strategy import Strategy
from alworkbench.core.domain import AnswerKind, Image, Item, MetricRecord, Role, Round, RoundState
from alworkbench.core.errors import UnknownImage, UnreadableSource
from alworkbench.inputs.picture import DisplayImage, Undecodable, display, read_bytes
from alworkbench.inputs.picture import content_hash as content_digest
from alworkbench.project.artifacts import resolve
from alworkbench.project.session import OpenProject, stored_id
from alworkbench.project.status import Status, newest_accuracy, next_step


class Reading(OpenProject):
    """Rounds, images, metrics, and the project at a glance."""

    def open_round(self) -> Round | None:
        """The open round, or None."""
        with self.store.read() as reader:
            return reader.rounds.current()

    def rounds(self) -> list[Round]:
        """Every round, by number."""
        with self.store.read() as reader:
            return reader.rounds.all()

    def items(self, round_id: int) -> list[Item]:
        """The items of a round, in order."""
        with self.store.read() as reader:
            return reader.rounds.items(round_id)

    def image(self, image_id: int) -> Image:
        """The image with this id. Raises NotInProject."""
        with self.store.read() as reader:
            return reader.images.get(image_id)

    def metrics(self) -> list[MetricRecord]:
        """Every measured learner, by round."""
        with self.store.read() as reader:
            return reader.computed.metrics()

    def status(self) -> Status:
        """Counts of images, labels and rounds, and what can be done next."""
        with self.store.read() as reader:
            settings = reader.settings()
            classes = reader.classes.current()
            current = reader.rounds.current()
            items = reader.rounds.items(current.id) if current else []
            labels = reader.labels.current(Role.POOL).values()
            metrics = reader.computed.metrics()
            encoder = reader.computed.encoder()
            posterior = reader.computed.posterior(encoder.id) if encoder else None
            newest = reader.computed.learner()
            hashes = [h for role in Role for _, h in reader.images.ids_and_hashes(role)]
            pool, audit = reader.images.count(Role.POOL), reader.images.count(Role.AUDIT)
            quarantined = len(reader.images.quarantined())
            closed = sum(r.state is RoundState.CLOSED for r in reader.rounds.all())
        encoded = 0
        if encoder is not None:
            known = set(self.engine().table().hashes)
            encoded = sum(h in known for h in hashes)
        named = [label.class_id for label in labels if label.kind is AnswerKind.CLASS]
        answered = sum(item.label is not None for item in items)
        return Status(
            name=settings.name,
            encoder=encoder.id if encoder else settings.encoder,
            pool_images=pool,
            audit_images=audit,
            quarantined=quarantined,
            encoded=encoded,
            classes=classes.names,
            labels=len(named),
            labels_per_class=tuple(named.count(c.id) for c in classes.classes),
            skipped=len(labels) - len(named),
            rounds_closed=closed,
            open_round=current,
            open_answered=answered,
            has_posterior=posterior is not None,
            zero_shot_accuracy=newest_accuracy([m for m in metrics if m.learner_id is None]),
            audit_accuracy=newest_accuracy(metrics),
            next_step=next_step(pool, encoded < pool + audit, posterior, current, items),
            class_list=stored_id(classes.id),
            leave_one_out=newest.settings.get("leave_one_out") if newest else None,
            names=self._names_known(classes, posterior),
        )

    def strategies(self) -> list[Strategy]:
        """All strategies, in the order in which they are listed."""
        return list(STRATEGIES)

    def display(self, content_hash: str) -> DisplayImage:
        """The picture as a browser can show it: exactly the pixels that the model saw.

        Raises UnknownImage, or UnreadableSource when the file is gone or was changed.
        """
        with self.store.read() as reader:
            image = reader.images.by_hash(content_hash)
        if image is None:
            raise UnknownImage(content_hash)
        problems = []
        for path in reversed(image.paths):
            file = resolve(self.folder, path)
            try:
                data = read_bytes(file)
            except Undecodable as error:
                problems.append(f"{file}: {error.detail}")
                continue
            if content_digest(data) == content_hash:
                return display(data)
            problems.append(f"{file}: its content is not what was imported")
        raise UnreadableSource(
            f"The image {content_hash[:12]} cannot be shown: {'; '.join(problems)}. Bring the file "
            f"back, or import it from where it is now: `alworkbench import FOLDER`."
        )
