"""The record of a campaign, added to an empty store step by step, in its recorded order.

Labels, take-backs, images and changes of roles are only added. What existed at the time of a round or a
learner is therefore given by counts (`core.provenance`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from alworkbench.core.domain import Answer, Consensus, EncoderRecord, FoundImage, Goal, Label, Role
from alworkbench.core.ports import Store, Writer
from alworkbench.simulation.campaign import Campaign


class RecordedState:
    """A store that has received the record up to some moment; `ids` are those of its images by hash."""

    def __init__(self, campaign: Campaign, store: Store) -> None:
        self._campaign = campaign
        self._store = store
        self.ids: dict[str, int] = {}
        self._label_ids: dict[int, int] = {}
        self._images = self._roles = self._labels = self._take_backs = self._posteriors = 0
        self._classes = 1
        self._now = campaign.rounds[0].opened_at

    def to(self, record: Mapping[str, Any], class_list_id: int, posterior_id: int | None) -> None:
        """Add everything that existed when this was recorded."""
        settings = replace(
            self._campaign.settings,
            seed=int(record["project_seed"]),
            goal=Goal(record["goal"]),
            adaptation=str(record["adaptation"]),
            # Before it was recorded, there was one rule.
            consensus=Consensus(record.get("consensus", Consensus.PROPORTIONS)),
        )
        with self._store.write() as writer:
            writer.save_settings(settings)
            for classes in self._campaign.class_lists[self._classes : class_list_id]:
                writer.classes.add(classes, self._now)
            self._classes = max(self._classes, class_list_id)
            self._add_posteriors(writer, posterior_id or 0)
            self._add_images(writer, int(record["images"]))
            self._change_roles(writer, int(record.get("role_changes", 0)))
            self._add_labels(writer, int(record["labels"]), int(record["take_backs"]))

    def _add_posteriors(self, writer: Writer, last: int) -> None:
        while self._posteriors < min(last, len(self._campaign.posteriors)):
            each = self._campaign.posteriors[self._posteriors]
            writer.computed.set_encoder(EncoderRecord(each.encoder_id, self._campaign.encoder.spec))
            writer.computed.add_posterior(each.encoder_id, each.file, {}, self._now)
            self._posteriors += 1
        writer.computed.set_encoder(self._campaign.encoder)

    def _add_images(self, writer: Writer, count: int) -> None:
        fresh = self._campaign.images[self._images : count]
        for role, part in groupby(fresh, key=lambda image: image[1]):
            found: Iterator[FoundImage] = (FoundImage(c, c, 0, 0, 0) for c, _ in part)
            writer.images.add(found, [], root="replayed", role=role)
        if fresh:
            self.ids = {
                content: id_ for role in Role for id_, content in writer.images.ids_and_hashes(role)
            }
        self._images = max(self._images, count)

    def _change_roles(self, writer: Writer, count: int) -> None:
        """Changes that a draw of the audit set made are there already and change nothing."""
        for change in self._campaign.role_changes[self._roles : count]:
            image = self.ids[self._campaign.hashes[change.image_id]]
            writer.images.set_role([image], change.role, self._now, on_purpose=True)
        self._roles = max(self._roles, count)

    def _add_labels(self, writer: Writer, labels: int, take_backs: int) -> None:
        answers = [self._answer(each) for each in self._campaign.labels[self._labels : labels]]
        stored = writer.labels.add_many(answers, self._now)
        for then, now in zip(self._campaign.labels[self._labels : labels], stored, strict=True):
            self._label_ids[then.id] = now.id
        for back in self._campaign.take_backs[self._take_backs : take_backs]:
            writer.labels.retract(
                self._label_ids[back.label_id],
                back.event_id,
                back.annotator,
                self._now,
                recorded=True,
            )
        self._labels = max(self._labels, labels)
        self._take_backs = max(self._take_backs, take_backs)

    def _answer(self, label: Label) -> Answer:
        """The label as an answer without an item: a replay has no leases."""
        return Answer(
            label.event_id,
            self.ids[self._campaign.hashes[label.image_id]],
            label.kind,
            label.annotator,
            class_id=label.class_id,
            source=label.source,
            late=label.late,
        )
