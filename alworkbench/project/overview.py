"""One project at a glance: how far it is, what waits for one person, and the next step.

It reads counts, the rounds, the newest jobs and the newest answer of each person, so that a list of many
projects is there at once. `project.status` tells more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    JobState,
    PersonRole,
    Role,
    Round,
    RoundState,
)
from alworkbench.core.ports import Reader
from alworkbench.project.session import Session


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does next, as a sentence; where, or None where there is nothing to do but wait."""

    words: str
    page: str | None = None
    """The page of the screens: label, review, import or project."""
    act: str | None = None
    """What a link to the page says."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A project as one person finds it."""

    name: str
    classes: int
    images: int
    """In the pool."""
    audit_images: int
    answers: int
    """All that were ever recorded."""
    rounds_closed: int
    round: int | None
    """The number of the open round."""
    waiting: int
    """Images of the open round that still want an answer and have none of this person."""
    reviews: int
    """Cases that wait for a reviewer; 0 for a person who is none."""
    running: tuple[str, ...]
    """What is computed now, beside what the first of `steps` says."""
    last_activity: datetime | None
    """When somebody answered, a round was opened or closed, or a computation began or ended."""
    steps: tuple[Step, ...]
    """The next step, then others that wait."""


def read_overview(session: Session, person: str, role: PersonRole) -> Overview:
    """The project as this person finds it. Nothing is computed and nothing is written."""
    with session.store.read() as reader:
        rounds, current = reader.rounds.all(), reader.rounds.current()
        running = [each for each in reader.jobs.live() if each.state is JobState.RUNNING]
        closing = next((each for each in running if each.order.get("do") == "close"), None)
        reviews = reader.reviews.count_open() if role.includes(PersonRole.REVIEWER) else 0
        times = [at for each in rounds for at in (each.opened_at, each.closed_at)]
        times += [
            at for each in reader.jobs.newest(20) for at in (each.queued_at, each.finished_at)
        ]
        for each in reader.people.all():
            times += [label.recorded_at for label in reader.labels.recent(each.name, 1)]
        images = reader.images.count(Role.POOL)
        steps = (
            _steps(reader, rounds, current, person, role)
            if closing is None
            else (Step(f"Now: {closing.title}.", "label", "See how far it is"),)
        )
        if reviews:
            waits = "1 case waits" if reviews == 1 else f"{reviews:,} cases wait"
            steps = (*steps, Step(f"{waits} for your review.", "review", "Review"))
        return Overview(
            name=reader.settings().name,
            classes=len(reader.classes.current().names),
            images=images,
            audit_images=reader.images.count(Role.AUDIT),
            answers=reader.labels.count(),
            rounds_closed=sum(each.state is RoundState.CLOSED for each in rounds),
            round=None if current is None else current.number,
            waiting=0 if current is None else reader.rounds.left_for(current.id, person),
            reviews=reviews,
            running=tuple(each.title for each in running if each is not closing),
            last_activity=max((at for at in times if at is not None), default=None),
            steps=steps,
        )


def _steps(
    reader: Reader, rounds: list[Round], current: Round | None, person: str, role: PersonRole
) -> tuple[Step, ...]:
    manages = role.includes(PersonRole.MANAGER)
    if reader.images.count(Role.POOL) == 0:
        if manages:
            words = "The project has no images yet. Import some."
            return (Step(words, "import", "Import images"),)
        return (Step("The project has no images yet. A manager imports them."),)
    if current is None and reader.computed.encoder() is None:
        if manages:
            words = "The images have no features yet. Encode them."
            return (Step(words, "import", "Encode the images"),)
        return (Step("The images have no features yet. A manager encodes them."),)
    if current is None and _all_answered(reader):
        if manages:
            words = "Every image of the pool has an answer. Import more, or export the labels."
            return (Step(words, "import", "Import images"),)
        return (Step("Every image of the pool has an answer."),)
    if current is None:
        if manages:
            act = f"Start round {len(rounds) + 1}"
            return (Step(f"No round is open. {act}.", "project", act),)
        return (Step("No round is open. A manager opens the next."),)
    which = f"round {current.number}"
    if current.strategy == AUDIT_STRATEGY:
        which += ", of the audit set"
    left = reader.rounds.left_for(current.id, person)
    if left:
        waits = "1 image waits" if left == 1 else f"{left:,} images wait"
        return (Step(f"{waits} for you in {which}.", "label", "Start labelling"),)
    if reader.rounds.progress(current.id).items_left:
        return (Step(f"You have answered all of {which}. Others have not yet."),)
    if manages:
        return (Step(f"All of {which} is answered. Close it.", "label", "Close the round"),)
    return (Step(f"All of {which} is answered. A manager closes it."),)


def _all_answered(reader: Reader) -> bool:
    images = reader.images.count(Role.POOL)
    if reader.labels.count() < images:  # the usual case, known without a look at each image
        return False
    return not reader.labels.unanswered(
        image for image, _ in reader.images.ids_and_hashes(Role.POOL)
    )
