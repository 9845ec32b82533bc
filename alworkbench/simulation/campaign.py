"""The record of a project's campaign: everything that decided which images were asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alworkbench.core.domain import (
    ClassList,
    EncoderRecord,
    Item,
    Label,
    LearnerRecord,
    PosteriorRecord,
    ProjectSettings,
    Role,
    RoleChange,
    Round,
    TakeBack,
)
from alworkbench.core.errors import NotReplayable
from alworkbench.core.ports import Reader


@dataclass(frozen=True, slots=True)
class Campaign:
    """All rows of a project that a replay needs."""

    settings: ProjectSettings
    encoder: EncoderRecord
    class_lists: tuple[ClassList, ...]
    """Every version, oldest first."""
    posteriors: tuple[PosteriorRecord, ...]
    images: tuple[tuple[str, Role], ...]
    """(content hash, role at import), in the order of import."""
    role_changes: tuple[RoleChange, ...]
    rounds: tuple[Round, ...]
    items: Mapping[int, tuple[Item, ...]]
    """Round id -> its items in order."""
    learners: tuple[LearnerRecord, ...]
    labels: tuple[Label, ...]
    take_backs: tuple[TakeBack, ...]
    hashes: Mapping[int, str]
    """Image id -> content hash."""
    ahead: Mapping[int, LearnerRecord]
    """Id -> the learners that ranked prepared rounds."""

    def following(self, round_: Round) -> Round | None:
        """The round that was prepared to follow this one; None where none was."""
        after = [r for r in self.rounds if r.number == round_.number + 1 and prepared(r)]
        return after[0] if after else None

    def learners_around(
        self, round_: Round, following: Round | None
    ) -> tuple[list[LearnerRecord], list[LearnerRecord]]:
        """The learners of a round: those of before the next one was ranked, and those of after that."""
        own = [each for each in self.learners if each.round_id == round_.id]
        if following is None:
            return own, []
        known = following.settings["record"]["labels"]
        before = [
            each
            for each in own
            if each.id < (following.learner_id or 0) and each.settings["record"]["labels"] <= known
        ]
        return before, own[len(before) :]


def prepared(round_: Round) -> bool:
    """Whether it was ranked before the end of the round before, which it followed at once."""
    return "prepared" in round_.settings


def read_campaign(reader: Reader) -> Campaign:
    """Read the record. Raises NotReplayable without rounds, and for rounds of versions without a record."""
    rounds = reader.rounds.all()
    learners, ahead = reader.computed.learners(), reader.computed.learners(ahead=True)
    for what, settings in [(f"round {r.number}", r.settings) for r in rounds] + [
        (f"learner {each.id}", each.settings) for each in (*learners, *ahead)
    ]:
        if "record" not in settings:
            raise NotReplayable(
                f"The record of {what} does not say which labels existed then: an earlier version of "
                f"alworkbench made it. Campaigns begun with this version can be replayed."
            )
    encoder = reader.computed.encoder()
    if encoder is None or not rounds:
        raise NotReplayable(
            "The project has no round yet, so there is nothing to replay. Start with `alworkbench propose`."
        )
    items = {r.id: tuple(reader.rounds.items(r.id)) for r in rounds}
    changes = reader.images.role_changes()
    at_import: dict[int, Role] = {}
    for change in changes:
        at_import.setdefault(change.image_id, change.former)
    images = sorted(
        (id_, content, at_import.get(id_, role))
        for role in Role
        for id_, content in reader.images.ids_and_hashes(role)
    )
    newest = reader.classes.current().id or 1
    return Campaign(
        reader.settings(),
        encoder,
        tuple(reader.classes.get(id_) for id_ in range(1, newest + 1)),
        tuple(reader.computed.posteriors()),
        tuple((content, role) for _, content, role in images),
        tuple(changes),
        tuple(rounds),
        items,
        tuple(learners),
        tuple(reader.labels.all()),
        tuple(reader.labels.take_backs()),
        {id_: content for id_, content, _ in images},
        {each.id: each for each in ahead},
    )
