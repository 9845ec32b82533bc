"""What a store holds of rounds and of reviews, as protocols; `repositories` has the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from alworkbench.core.domain import Item, NewReview, NewRound, Review, Round, RoundCount


@runtime_checkable
class Rounds(Protocol):
    """Rounds and their items."""

    def open(self, new: NewRound, now: datetime) -> Round:
        """Publish a round with its items. Raises RoundStillOpen if one is open."""
        ...

    def current(self) -> Round | None:
        """The open round, or None."""
        ...

    def get(self, round_id: int) -> Round:
        """The round with this id. Raises NotInProject."""
        ...

    def all(self) -> list[Round]:
        """Every round, by number."""
        ...

    def items(self, round_id: int) -> list[Item]:
        """Every item in its order, with its leases and the answer that counts now."""
        ...

    def item(self, item_id: int) -> Item | None:
        """The item with this id; None for an unknown id."""
        ...

    def asking(self, image_id: int) -> Item | None:
        """The item of the open round that asks about this image, or None."""
        ...

    def images(self, round_id: int) -> list[int]:
        """The images that a round asks about, in its order."""
        ...

    def progress(self, round_id: int) -> RoundCount:
        """How many of the wanted answers of a round were given. Late answers are not among them."""
        ...

    def left_for(self, round_id: int, annotator: str) -> int:
        """Items that still want an answer, and have none of this annotator; others may hold them."""
        ...

    def claim(
        self, round_id: int, annotator: str, limit: int, now: datetime, until: datetime,
        *, tab: str | None = None, left_before: datetime | None = None,
    ) -> list[Item]:  # fmt: skip
        """Up to `limit` items leased to this annotator until `until`, in order.

        An item is given if the annotator has no answer to it, and if fewer other people have answered or
        hold it than are wanted. So of an item that wants n answers, at most n people hold it or have
        answered it at any time. Items held already in this `tab` (None outside of a browser) come back
        with the same token and the later end; with the new end where the clock was set back. A lease that
        ran out before `now` keeps nobody away. Two tabs never hold one item; a tab takes over what another
        one of its annotator last claimed before `left_before`.
        """
        ...

    def release(self, annotator: str, tab: str | None, item_ids: Sequence[int]) -> None:
        """Give these items back, as far as the annotator holds them in this tab."""
        ...

    def end_leases(self, tokens: Sequence[str]) -> None:
        """Give back the items that are held with these tokens, whoever holds them."""
        ...

    def close(self, round_id: int, now: datetime, by: str = "") -> Round:
        """Close a round, and end its leases. Closing it again changes nothing.

        `by` is who closes it; it is kept in the settings of the round.
        """
        ...


@runtime_checkable
class Reviews(Protocol):
    """Cases for a reviewer. None is removed, and a closed case never changes."""

    def open(self, cases: Sequence[NewReview], now: datetime) -> int:
        """Open cases, and return how many were opened.

        A case is left out where the same doubt about the image, or a second opinion, is open already, or was
        closed after the newest label of the image was given.
        """
        ...

    def get(self, review_id: int) -> Review:
        """The case with this id. Raises NotInProject."""
        ...

    def by_event(self, event_id: str) -> Review | None:
        """The case that this event closed; None for an unknown event."""
        ...

    def all(self) -> list[Review]:
        """Every case, oldest first."""
        ...

    def count_open(self) -> int:
        """How many cases are open."""
        ...

    def close(
        self,
        review_id: int,
        *,
        by: str,
        label_id: int | None,
        note: str | None,
        now: datetime,
        event_id: str | None = None,
    ) -> Review:
        """Resolve an open case with an answer of the reviewer, or without one dismiss it.

        `event_id` names the act; it is kept with the case.
        Raises NotInProject, and ReviewClosed for a case that is closed.
        """
        ...

    def pass_on(
        self,
        review_id: int,
        *,
        by: str,
        opinion_class_id: int | None,
        note: str | None,
        now: datetime,
        event_id: str | None = None,
    ) -> Review:
        """Close the open cases of an image without an answer, and open one for a second opinion: this.

        `opinion_class_id` is what the reviewer saw. `event_id` names the act; it is kept with the named case.
        Raises NotInProject, and ReviewClosed for a case that is closed.
        """
        ...
