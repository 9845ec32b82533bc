"""Where a project stands, and the next step of its people."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from alworkbench.core.domain import AUDIT_STRATEGY, Item, PosteriorRecord, Round


class Step(StrEnum):
    """What a project needs next."""

    IMPORT = "import"
    """It has no images."""
    FIND_FILES = "find files"
    """Files of images are gone or changed."""
    SEE_REFUSED = "see refused"
    """The encoder refused all images."""
    ENCODE = "encode"
    """Images have no features yet."""
    FIT = "fit"
    """There is no posterior."""
    IMPORT_MORE = "import more"
    """Every image of the pool has an answer."""
    ASK = "ask"
    """A round can be opened."""
    LABEL = "label"
    """Images of the open round want answers."""
    CLOSE = "close"
    """The open round is answered."""


def next_step(
    pool: int,
    unencoded: bool,
    set_aside: int,
    faults: int,
    posterior: PosteriorRecord | None,
    current: Round | None,
    items: Sequence[Item],
    unanswered: int,
) -> tuple[Step, str]:
    """The next step, and the same as one sentence with a command.

    `set_aside` are images that the encoder refused where it accepted none, `faults` images without a file,
    `unanswered` images of the pool with features and without an answer.
    """
    if pool == 0 and current is None:
        return Step.IMPORT, "Import images: alworkbench import FOLDER"
    if faults:
        return Step.FIND_FILES, (
            f"Bring back the files of {faults} images, or import them from where they are now: "
            f"alworkbench doctor lists them"
        )
    if set_aside:
        return (
            Step.SEE_REFUSED,
            f"All {set_aside} images were refused. See why and try again: alworkbench encode",
        )
    if unencoded:
        return Step.ENCODE, "Encode the images: alworkbench encode"
    if posterior is None:
        return Step.FIT, (
            "Fit a posterior: alworkbench fit --pairs captions.csv "
            "(without captions: alworkbench fit --from-pool)"
        )
    if current is None and not unanswered:
        return Step.IMPORT_MORE, (
            "Every image of the pool has an answer. Import more: alworkbench import FOLDER; or export the "
            "labels: alworkbench export labels.csv"
        )
    if current is None:
        return Step.ASK, "Ask for a batch: alworkbench propose"
    left = sum(not item.complete for item in items)
    if left:
        return (
            Step.LABEL,
            f"Label the {left} images left in round {current.number}: alworkbench serve",
        )
    done = "measure" if current.strategy == AUDIT_STRATEGY else "learn"
    return Step.CLOSE, f"Close round {current.number} and {done}: alworkbench close"
