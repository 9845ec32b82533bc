"""A plain model of people who label together: lists and dictionaries, and no database.

It is written from docs/people.md, docs/rounds.md and the docstrings of `Labels`, `Reviews` and the protocols
of the store. Items are named by (number of the round, position), labels and leases by the order in which
they were made, so that two stores with different ids can be compared with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

Place = tuple[int, int]
"""Number of a round, and position in it."""

FIRST_MINUTES, LEAST_MINUTES, MOST_MINUTES = 10, 2, 10
TAB_LEFT = timedelta(seconds=90)


class Refused(Exception):
    """The model refuses a step with the error of this name."""


@dataclass(frozen=True)
class Said:
    """What a person sends: an answer as the page, or a script without an item, makes it."""

    event: str
    image: int
    person: str
    class_id: int | None
    item: Place | None
    token: int | None
    duration: int | None = None
    source: str = "browser"


@dataclass(frozen=True)
class Stored:
    """An answer that was recorded."""

    event: str
    image: int
    person: str
    class_id: int | None
    item: Place | None
    at: datetime
    late: str | None
    source: str
    duration: int | None


@dataclass
class Asked:
    """An item of a round."""

    image: int
    wanted: int
    blind: bool


@dataclass
class Held:
    """A lease."""

    tab: str | None
    token: int
    since: datetime
    until: datetime

    def runs(self, now: datetime) -> bool:
        """It has not run out, and not more than twice its length is left (a clock that was set back)."""
        return now < self.until and self.until - now <= 2 * (self.until - self.since)


@dataclass
class Case:
    """A case of a review."""

    image: int
    newest: int
    """The newest answer to the image when it was opened, and then when it was closed."""
    opened: datetime
    state: str = "open"
    closed: datetime | None = None
    by: str | None = None
    label: int | None = None
    note: str | None = None


@dataclass
class TeamModel:
    """The rules; times are given to each step."""

    images: tuple[int, ...]
    class_ids: tuple[int, ...]
    keep_late: bool = True
    deciding: bool = False
    items: dict[Place, Asked] = field(default_factory=dict)
    rounds: dict[int, bool] = field(default_factory=dict)
    """Number -> whether it is open."""
    answers: list[Stored] = field(default_factory=list)
    taken_back: list[tuple[int, str, str, datetime]] = field(default_factory=list)
    """(answer, event id, person, time), in order."""
    leases: dict[tuple[Place, str], Held] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    tokens: int = 0

    # --------------------------------------------------------------------------------- reading
    def open_round(self) -> int | None:
        """The number of the open round."""
        return next((number for number, is_open in self.rounds.items() if is_open), None)

    def standing(self) -> dict[int, Stored]:
        """The answers that were not taken back, by number."""
        gone = {each[0] for each in self.taken_back}
        return {n: each for n, each in enumerate(self.answers) if n not in gone}

    def opinions(self, image: int, item: Place | None = None) -> list[int]:
        """The newest answer of each person to an image, or to one item of it, oldest first.

        A late answer replaces no answer in time.
        """
        found: dict[str, int] = {}
        for n, each in self.standing().items():
            before = found.get(each.person)
            replaces = before is None or not each.late or self.answers[before].late
            if each.image == image and (item is None or each.item == item) and replaces:
                found[each.person] = n
        return sorted(found.values())

    def counting(self, image: int, item: Place | None = None) -> list[int]:
        """A reviewer's answer alone; else those in time; else those that came late."""
        opinions = self.opinions(image, item)
        reviewed = [n for n in opinions if self.answers[n].source == "review"]
        in_time = [n for n in opinions if self.answers[n].late is None]
        return reviewed[-1:] or in_time or opinions

    def decides(self, among: list[int]) -> int | None:
        """The newest answer with the most common class; of equally common ones the newest."""
        named = [n for n in among if self.answers[n].class_id is not None]
        votes = Counter(self.answers[n].class_id for n in named)
        ranked = [(votes[self.answers[n].class_id], n) for n in named]
        return max(ranked)[1] if ranked else max(among, default=None)

    def taught(self, image: int) -> tuple[dict[int, float], float] | None:
        """What the image teaches: class -> share, and the weight."""
        among = [n for n in self.counting(image) if self.answers[n].class_id is not None]
        votes = Counter(self.answers[n].class_id for n in among)
        if not votes:
            return None
        if self.deciding:
            top = self.answers[self.decides(among)].class_id
            return {top: 1.0}, float(votes[top])
        return {c: n / votes.total() for c, n in votes.items()}, float(votes.total())

    def answered_by(self, place: Place) -> list[str]:
        """Who gave the answers that the item asked for, by the order of their newest ones."""
        newest = {
            each.person: n
            for n, each in self.standing().items()
            if each.item == place and each.late is None
        }
        return sorted(newest, key=lambda person: newest[person])

    def has_answer(self, place: Place, person: str) -> bool:
        """Whether the person has an answer to the item, late or not."""
        return any(e.item == place and e.person == person for e in self.standing().values())

    def holders(self, place: Place, now: datetime) -> list[str]:
        """Who holds the item now and has not answered it."""
        return [
            person
            for (item, person), held in self.leases.items()
            if item == place and held.runs(now) and not self.has_answer(place, person)
        ]

    def items_of(self, number: int) -> list[Place]:
        """The items of a round, in order."""
        return sorted(place for place in self.items if place[0] == number)

    def count(self, number: int) -> tuple[int, int, int, int]:
        """Answers given of those wanted, answers wanted, items complete, items."""
        places = self.items_of(number)
        wanted = [self.items[place].wanted for place in places]
        given = [min(len(self.answered_by(p)), w) for p, w in zip(places, wanted, strict=True)]
        complete = sum(g == w for g, w in zip(given, wanted, strict=True))
        return sum(given), sum(wanted), complete, len(places)

    def unanswered(self) -> list[int]:
        """Images without an answer that counts."""
        return [image for image in self.images if not self.opinions(image)]

    # ---------------------------------------------------------------------------------- rounds
    def refuse_propose(self) -> None:
        """Raises what a propose raises now."""
        if self.open_round() is not None:
            raise Refused("RoundStillOpen")
        if not self.unanswered():
            raise Refused("PoolExhausted")

    def opened(self, asked: list[Asked]) -> int:
        """A round with these items."""
        number = len(self.rounds) + 1
        self.rounds[number] = True
        self.items |= {(number, position): each for position, each in enumerate(asked)}
        return number

    def close(self, force: bool) -> None:
        """Close the open round; its leases end."""
        number = self.open_round()
        if number is None:
            raise Refused("NoOpenRound")
        given = {each.item for each in self.standing().values()}
        if not force and not given & set(self.items_of(number)):
            raise Refused("NothingAnswered")
        self.rounds[number] = False
        self.leases = {key: held for key, held in self.leases.items() if key[0][0] != number}

    # ---------------------------------------------------------------------------------- leases
    def lease_time(self, person: str, images: int) -> timedelta:
        """Twice the time in which the person answers so many images, from 2 to 10 minutes."""
        times = [e.at for e in self.answers if e.person == person and e.duration is not None][-50:]
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        gaps = [gap for gap in gaps if 0 <= gap <= 600]
        if len(times) < 5 or not gaps:
            return timedelta(minutes=FIRST_MINUTES)
        needed = timedelta(seconds=2 * images * median(gaps))
        return min(max(needed, timedelta(minutes=LEAST_MINUTES)), timedelta(minutes=MOST_MINUTES))

    def claim(self, person: str, tab: str | None, limit: int, now: datetime) -> list[Place]:
        """The items that the person gets in this tab, in order."""
        number = self.refuse_no_round()
        until = now + self.lease_time(person, limit)
        free = [p for p in self.items_of(number) if self._free(p, person, tab, now)]
        mine = [p for p in free if (held := self.leases.get((p, person))) and held.tab == tab]
        given = sorted((mine + [p for p in free if p not in mine])[:limit])
        for place in given:
            held = self.leases.get((place, person))
            if held is None or held.tab != tab:
                self.tokens += 1
                self.leases[place, person] = Held(tab, self.tokens, now, until)
            else:
                kept = max(held.until, until) if held.since <= now < held.until else until
                self.leases[place, person] = replace(held, since=now, until=kept)
        return given

    def refuse_no_round(self) -> int:
        """The number of the open round."""
        number = self.open_round()
        if number is None:
            raise Refused("NoOpenRound")
        return number

    def is_done(self, person: str, given: list[Place]) -> bool:
        """Whether the person got nothing, since others alone may give the answers that are still wanted."""
        number = self.open_round() or 0
        left = [
            place
            for place in self.items_of(number)
            if len(self.answered_by(place)) < self.items[place].wanted
        ]
        return bool(left) and not given and all(self.has_answer(p, person) for p in left)

    def _free(self, place: Place, person: str, tab: str | None, now: datetime) -> bool:
        if self.has_answer(place, person):
            return False
        own = self.leases.get((place, person))
        if own and own.tab != tab and own.runs(now) and now - own.since < TAB_LEFT:
            return False
        others = {*self.holders(place, now), *self.answered_by(place)} - {person}
        return len(others) < self.items[place].wanted

    def release(self, person: str, tab: str | None, places: list[Place]) -> None:
        """Give items back, as far as this tab holds them."""
        for place in places:
            held = self.leases.get((place, person))
            if held and held.tab == tab:
                del self.leases[place, person]

    # --------------------------------------------------------------------------------- answers
    def record(self, said: Said, now: datetime) -> int:
        """The number of the answer that is stored under the event id of this one."""
        known = next((n for n, each in enumerate(self.answers) if each.event == said.event), None)
        if known is not None:
            return known
        late = None if said.item is None else self._late(said, said.item, now)
        if late and not self.keep_late:
            raise Refused("AnswerTooLate")
        return self._add(said, late, now)

    def _add(self, said: Said, late: str | None, now: datetime) -> int:
        item = self._asking(said.image) or said.item
        self.answers.append(
            Stored(
                said.event,
                said.image,
                said.person,
                said.class_id,
                item,
                now,
                late,
                said.source,
                said.duration,
            )
        )
        return len(self.answers) - 1

    def _asking(self, image: int) -> Place | None:
        return next(
            (p for p in self.items_of(self.open_round() or 0) if self.items[p].image == image), None
        )

    def _late(self, said: Said, item: Place, now: datetime) -> str | None:
        if item not in self.items or self.items[item].image != said.image:
            raise Refused("UnknownItem")
        if item[0] == self.open_round():
            self._refuse_lost(said, item, now)
        asking = self._asking(said.image)
        if asking is None:
            return "closed"
        people = self.answered_by(asking)
        complete = len(people) >= self.items[asking].wanted
        return "answered" if complete and said.person not in people else None

    def _refuse_lost(self, said: Said, item: Place, now: datetime) -> None:
        """Others hold the item now, and this person never did; or did, and late answers are refused."""
        own = self.leases.get((item, said.person))
        if own and own.token == said.token and (self.keep_late or own.runs(now)):
            return
        others = set(self.holders(item, now)) - {said.person}
        given = self.answered_by(item)
        if said.person in given:
            return  # a correction takes nobody's place
        if others and len(others) + len(given) >= self.items[item].wanted:
            raise Refused("LeaseLost")

    def undo(self, person: str, event: str, answer: str | None, now: datetime) -> int:
        """The answer that is taken back."""
        for taken, known, by, _ in self.taken_back:
            if known == event:
                if by != person:
                    raise Refused("NothingToUndo")
                return taken
        mine = [
            n
            for n, e in self.standing().items()
            if e.person == person and e.item and e.item[0] == self.open_round()
        ]
        if answer is not None:
            mine = [
                n
                for n in mine
                if self.answers[n].event == answer and n in self.opinions(self.answers[n].image)
            ]
        if not mine:
            raise Refused("NothingToUndo")
        self.taken_back.append((mine[-1], event, person, now))
        return mine[-1]

    # --------------------------------------------------------------------------------- reviews
    def open_disagreements(self, now: datetime) -> int:
        """A case for each image with different classes, unless it is open or was closed since."""
        opened = 0
        for image in self.images:
            opinions = self.opinions(image)
            given = [self.answers[n] for n in opinions]
            differ = len({each.class_id for each in given} - {None}) > 1
            settled = any(
                case.image == image and (case.state == "open" or case.newest >= max(opinions))
                for case in self.cases
                if opinions
            )
            if differ and not settled and not any(e.source == "review" for e in given):
                self.cases.append(Case(image, max(opinions), now))
                opened += 1
        return opened

    def end_case(
        self, number: int, by: str, note: str | None, now: datetime, resolved: Said | None
    ) -> None:
        """Resolve a case with an answer, or dismiss it."""
        if not 0 <= number < len(self.cases):
            raise Refused("NotInProject")
        case = self.cases[number]
        if case.state != "open":
            raise Refused("ReviewClosed")
        if resolved is not None:
            case.label = self._add(replace(resolved, image=case.image), None, now)
        case.state = "dismissed" if resolved is None else "resolved"
        case.closed, case.by, case.note = now, by, note
        case.newest = max(n for n, each in enumerate(self.answers) if each.image == case.image)

    # ------------------------------------------------------------------------------- all of it
    def state(self, tokens: dict[int, str]) -> dict[str, object]:
        """What a project with these tokens must show; see `TeamProject.state`."""
        given = {image: found for image in self.images if (found := self.opinions(image))}
        people = Counter(e.person for e in self.standing().values())
        late = Counter(e.person for e in self.standing().values() if e.late)
        return {
            "rounds": self.rounds,
            "items": {
                place: (
                    asked.image,
                    asked.wanted,
                    asked.blind,
                    self.answered_by(place),
                    self.decides(self.counting(asked.image, place)),
                    {
                        (person, tokens[held.token], held.until)
                        for (item, person), held in self.leases.items()
                        if item == place
                    },
                )
                for place, asked in self.items.items()
            },
            "counts": {number: self.count(number) for number in self.rounds},
            "answers": self.answers,
            "taken back": self.taken_back,
            "opinions": given,
            "counting": {image: self.counting(image) for image in given},
            "deciding": {image: self.decides(self.counting(image)) for image in given},
            "unanswered": self.unanswered(),
            "taught": {i: taught for i in self.images if (taught := self.taught(i)) is not None},
            "cases": self.cases,
            "pace": {person: (people[person], late[person]) for person in people},
        }
