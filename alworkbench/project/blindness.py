"""What of an image a person must not see before the own answer, so that it does not pull the answer.

An image is answered blind while the open round asks for it and the person has not answered it there, if

- it is of the audit set, or its item is one without a suggestion (`Item.blind`): the opinion of the model and
  the answers of others are hidden;
- answers of several people are wanted: the answers of others are hidden.

Of an image of the audit set, the opinion of the model is hidden while nobody has answered: it will be asked.
The rule is one of the image and the person, whatever the role of the person. The desk, the grid, the card
and the review follow it, and notes and flags on every page. Lists of a manager (gallery, map, errors, export)
do not hide labels and predictions: whoever also answers blind should not open them meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.domain import Image, Item, Role
from alworkbench.core.ports import Reader

_MODEL = "Hidden until you have answered: nothing of the model and of others may pull this answer."
_OTHERS = "Hidden until you have answered: several people answer this image on their own."
_AUDIT = (
    "Hidden until somebody has answered: images of the audit set are answered without suggestions."
)


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is hidden, and why in words; empty where nothing is."""

    model: str = ""
    others: str = ""


def hidden_from(reader: Reader, person: str | None, image: Image) -> Hidden:
    """What is hidden of an image from this person now. None: a script, from which nothing is hidden."""
    if person is None:
        return Hidden()
    item = reader.rounds.asking(image.id)
    audit = image.role is Role.AUDIT
    if item is not None:
        return _asked(item, person, audit)
    if audit and not reader.labels.opinions_of([image.id]):
        return Hidden(_AUDIT)
    return Hidden()


def others_hidden(reader: Reader, person: str | None) -> set[int]:
    """Ids of the images whose answers of others are hidden from this person now: see `hidden_from`."""
    current = reader.rounds.current()
    if person is None or current is None:
        return set()
    audit = {image for image, _ in reader.images.ids_and_hashes(Role.AUDIT)}
    return {
        item.image_id
        for item in reader.rounds.items(current.id)
        if _asked(item, person, item.image_id in audit).others
    }


def _asked(item: Item, person: str, audit: bool) -> Hidden:
    """What is hidden of an image that an item of the open round asks for."""
    if person in item.answered_by or person in item.late_by:
        return Hidden()
    if item.blind or audit:
        return Hidden(_MODEL, _MODEL)
    return Hidden(others=_OTHERS if item.wanted > 1 else "")
