"""A ranked batch becomes a round: what changed since the ranking is looked at in the same transaction.

Images that got an answer or left the pool since are not asked any more. Where the classes changed so that
the model reads them otherwise, the batch is of no use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alworkbench.core.domain import OPENED_BY, ClassSets, NewItem, NewRound, Round
from alworkbench.core.errors import ChangedMeanwhile
from alworkbench.core.ports import Reader, Writer
from alworkbench.project.ranked_batch import RankedBatch


def open_ranked(writer: Writer, ranked: RankedBatch, now: datetime, by: str) -> Round:
    """Open the round of a batch that was just ranked, and store its measurement of the zero-shot model.

    `by` is who opens it.
    Raises RoundStillOpen, and ChangedMeanwhile where the classes changed or all images were answered.
    """
    still = still_to_ask(writer, ranked.round)
    if still is None:
        raise ChangedMeanwhile(
            "the classes were changed, or all images that it chose were answered",
            "alworkbench propose",
        )
    if ranked.measured is not None:
        writer.computed.add_metrics(ranked.measured)
    return writer.rounds.open(opened_by(still, by), now)


def opened_by(new: NewRound, by: str) -> NewRound:
    """The round with a record of who opens it."""
    return replace(new, settings={**new.settings, OPENED_BY: by})


def still_to_ask(reader: Reader, ranked: NewRound) -> NewRound | None:
    """The batch without images that were answered, or left the pool, since it was ranked.

    None where nothing is left, or where the model reads the classes otherwise than then.
    """
    classes = reader.classes.current()
    if classes.id != ranked.class_list_id and not classes.same_for_model(
        reader.classes.get(ranked.class_list_id)
    ):
        return None
    still = reader.labels.unanswered(item.image_id for item in ranked.items)
    keep = [place for place, item in enumerate(ranked.items) if item.image_id in still]
    if len(keep) == len(ranked.items):
        return ranked
    if not keep:
        return None
    return replace(
        ranked,
        # Each probability is that of a draw among the images left then; without some draws, the
        # others estimate nothing.
        items=[replace(ranked.items[place], probability=None) for place in keep],
        settings=_settings_of(ranked.settings, ranked.items, keep),
    )


def _settings_of(
    settings: Mapping[str, Any], items: Sequence[NewItem], keep: Sequence[int]
) -> dict[str, Any]:
    """Settings of a round with some items only; its classes are listed by position."""
    dropped = [item.image_id for place, item in enumerate(items) if place not in set(keep)]
    changed = {**settings, "answered_meanwhile": dropped}
    sets = ClassSets.from_record(settings.get("class_sets"))
    if sets is not None:
        kept = replace(sets, sets=tuple(sets.sets[place] for place in keep))
        changed["class_sets"] = kept.as_record()
    if "likeliest" in settings:
        changed["likeliest"] = [settings["likeliest"][place] for place in keep]
    return changed
