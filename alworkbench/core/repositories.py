"""What a store holds: images, class lists and computed records, as protocols."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from alworkbench.core.domain import (
    ClassList,
    EncoderRecord,
    FoundImage,
    Image,
    ImageFile,
    ImportSummary,
    LearnerRecord,
    MetricRecord,
    PosteriorRecord,
    PreparedRound,
    QuarantinedFile,
    Role,
    RoleChange,
)


@runtime_checkable
class Images(Protocol):
    """The pictures of a project."""

    def add(
        self,
        found: Iterable[FoundImage],
        quarantined: Iterable[QuarantinedFile],
        *,
        root: str,
        role: Role,
    ) -> ImportSummary:
        """Add pictures found below `root` (a folder, absolute or relative to the project).

        Unseen content becomes an image with this role. Known content keeps its id and its role and
        gains a path. Adding the same file again changes nothing. Quarantined files are remembered by
        path; one that has since become readable leaves the quarantine.
        """
        ...

    def get(self, image_id: int) -> Image:
        """The image with this id. Raises NotInProject."""
        ...

    def some(self, image_ids: Sequence[int]) -> list[Image]:
        """The images with these ids, in this order. Raises NotInProject."""
        ...

    def mark(self) -> tuple[int, int]:
        """Ids of the newest image and of the newest change of a role; 0 for none."""
        ...

    def newest_place(self) -> int:
        """Id of the place of an image that was found last; 0 for none."""
        ...

    def by_hash(self, content_hash: str) -> Image | None:
        """The image with this content; None for unknown content."""
        ...

    def by_path(self, path: str) -> Image | None:
        """The image with a path equal to this, or that ends with `/` + this if only one does."""
        ...

    def ids_and_hashes(self, role: Role) -> list[tuple[int, str]]:
        """(image id, content hash) of every image with this role, by id."""
        ...

    def ids_and_hashes_in_parts(self, role: Role) -> Iterator[Sequence[tuple[int, str]]]:
        """As `ids_and_hashes`, part by part: for pools whose pairs take too much memory.

        To be read inside of the block of the transaction.
        """
        ...

    def known(self, hashes: Iterable[str]) -> set[str]:
        """Those of the content hashes that images of the project have."""
        ...

    def hashes_and_paths(self, role: Role) -> list[tuple[str, str]]:
        """(content hash, the newest place where it was found) of every image with this role.

        Places where another picture was found since are named only for images that have no other place.
        """
        ...

    def files(self, hashes: Collection[str] | None = None) -> list[ImageFile]:
        """Every place of these images (None for all), image after image; current and new places first."""
        ...

    def record_times(self, times: Mapping[int, int]) -> None:
        """Record when files were modified: id of the place -> nanoseconds since 1970."""
        ...

    def count(self, role: Role) -> int:
        """How many images have this role."""
        ...

    def set_role(
        self, image_ids: Sequence[int], role: Role, now: datetime, *, on_purpose: bool = False
    ) -> None:
        """Give images a role: all of them, or none. Each change is recorded.

        Raises ImageInUse for one that was ever answered, or that the open round asks about: an image
        that was learned from does not measure by accident. With `on_purpose` the caller has looked at that.
        Raises NotInProject for an unknown id.
        """
        ...

    def role_changes(self) -> list[RoleChange]:
        """Every change of a role, oldest first."""
        ...

    def quarantined(self) -> list[QuarantinedFile]:
        """Files that could not be read, with the reason."""
        ...


@runtime_checkable
class Classes(Protocol):
    """The versions of the class list."""

    def current(self) -> ClassList:
        """The newest version. Raises NotInProject before the first."""
        ...

    def get(self, class_list_id: int) -> ClassList:
        """This version. Raises NotInProject."""
        ...

    def stored_at(self) -> dict[int, datetime]:
        """When each version was stored, by its number, oldest first."""
        ...

    def add(self, classes: ClassList, now: datetime) -> ClassList:
        """Store a new version; a class keeps its id under a new name, and a known name keeps its class id."""
        ...

    def number(self, classes: ClassList) -> ClassList:
        """The list with the class ids that `add` will give it. It has no id, and no version is stored."""
        ...


@runtime_checkable
class Prepared(Protocol):
    """The one next round that is kept ready."""

    def put(self, prepared: PreparedRound) -> None:
        """Keep this one instead of any other."""
        ...

    def get(self) -> PreparedRound | None:
        """The one that is kept."""
        ...

    def drop(self) -> None:
        """Keep none."""
        ...


@runtime_checkable
class Computed(Protocol):
    """Encoders, posteriors, learners and metrics: records of files and figures."""

    def set_encoder(self, record: EncoderRecord) -> None:
        """Make this the encoder in use."""
        ...

    def encoder(self) -> EncoderRecord | None:
        """The encoder in use; None before the first encoding."""
        ...

    def add_posterior(
        self, encoder_id: str, file: str, provenance: Mapping[str, Any], now: datetime
    ) -> PosteriorRecord:
        """Record a posterior file. Raises NotInProject for an unknown encoder."""
        ...

    def posterior(self, encoder_id: str) -> PosteriorRecord | None:
        """The newest posterior of this encoder."""
        ...

    def posteriors(self) -> list[PosteriorRecord]:
        """Every posterior of every encoder, oldest first."""
        ...

    def add_learner(
        self,
        *,
        round_id: int,
        posterior_id: int,
        class_list_id: int,
        file: str,
        labels: int,
        settings: Mapping[str, Any],
        now: datetime,
        ahead: bool = False,
    ) -> LearnerRecord:
        """Record a learner file (relative to the project).

        A learner `ahead` has ranked a round that was prepared before the end of the one before. It is in
        none of the lists below, unless they say so.
        """
        ...

    def learner(self) -> LearnerRecord | None:
        """The newest learner, or None before the first round is closed."""
        ...

    def get_learner(self, learner_id: int) -> LearnerRecord:
        """The learner with this id. Raises NotInProject."""
        ...

    def learners(self, *, ahead: bool = False) -> list[LearnerRecord]:
        """Every learner, oldest first; with `ahead`, only those that were learned ahead."""
        ...

    def add_metrics(self, record: MetricRecord) -> None:
        """A second record of the same round and learner replaces the first."""
        ...

    def metrics(self) -> list[MetricRecord]:
        """By round number, then time."""
        ...
