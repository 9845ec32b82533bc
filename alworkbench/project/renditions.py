"""Renditions of a project's images: made once, kept in the project folder, made again where they are missing.

A rendition is known by content hash, side and version. The version names the way in which it is made and the
white point of the project, so that a change of either gives other names, and an old file is never shown.
Removing the folder loses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alworkbench.core.cache_folder import LEAST_FREE, CacheFolder
from alworkbench.core.domain import Image, ProjectFolder, Role
from alworkbench.core.errors import (
    OutputUnwritable,
    ProjectReadOnly,
    UnknownImage,
    UnreadableSource,
)
from alworkbench.core.prefetch import prefetch
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.picture import DisplayImage, Undecodable, content_hash, read_bytes
from alworkbench.inputs.pixels import MOST
from alworkbench.inputs.rendition import (
    RECIPE,
    SIDES,
    THUMBNAIL,
    make_rendition,
    media_type,
    rendition_size,
)
from alworkbench.project.session import Session, resolve

MOST_BYTES = 4 << 30
"""Largest size of the folder of renditions: about 200,000 thumbnails, or 20,000 images of a desk."""
KNOWN_PLAIN = 100_000
"""Of so many renditions that are the file itself, the media type is remembered: the file need not be decoded
to be served again."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """A picture for a browser."""

    media_type: str
    data: bytes
    version: str
    """Names the pixels together with content hash and side: other pixels have another version."""


@dataclass(frozen=True, slots=True)
class ThumbnailSummary:
    """What making the thumbnails of a project did."""

    images: int
    made: int
    known: int
    """Those that were there, and images that are as small as a thumbnail."""
    failed: tuple[str, ...]
    """Why an image has none, a sentence for each."""


class Renditions:
    """Gives renditions of images. Threads and processes may share the folder."""

    def __init__(self, session: Session, *, most_bytes: int = MOST_BYTES) -> None:
        self._session = session
        self.cache = CacheFolder(
            session.folder.thumbnails, most_bytes, may_write=session.folder.can_be_written
        )
        self._plain: dict[str, str] = {}
        self._making: dict[str, _Turn] = {}
        self._lock = threading.Lock()

    def version(self) -> str:
        """Of all renditions that are made now."""
        return _version(self._session.settings().white_point)

    def get(self, content: str, side: int | None = None) -> Rendition:
        """The picture with this content hash with at most side x side pixels; None is the full size.

        Laid on white, its pixels are those that the model sees, apart from the resizing; see
        `inputs.rendition`. Raises ValueError for a side that is not one of SIDES, UnknownImage, or
        UnreadableSource where the file is gone or was changed and there is no rendition yet.
        """
        if side is not None and side not in SIDES:
            raise ValueError(f"the side {side} is not one of {', '.join(map(str, SIDES))}")
        with self._session.store.read() as reader:
            image = reader.images.by_hash(content)
            white = reader.settings().white_point
        if image is None:
            raise UnknownImage(content)
        full = rendition_size(image.width, image.height, side) == (image.width, image.height)
        return self._made(image, None if full else side, white)

    def thumbnails(self, progress: Progress = silent, *, threads: int = 2) -> ThumbnailSummary:
        """Make the missing thumbnails of all images. Others may use the project meanwhile.

        It can be interrupted at any time; the next call goes on with those that are missing. An image whose
        file is gone or was changed is named in the summary. Raises ProjectReadOnly, and OutputUnwritable
        where a thumbnail cannot be kept.
        """
        if not self.cache.may_write:
            raise ProjectReadOnly(self._session.folder.path)
        with self._session.store.read() as reader:
            images = [each for role in Role for each, _ in reader.images.ids_and_hashes(role)]
            white = reader.settings().white_point
        failed: list[str] = []
        made = 0

        def make(image_id: int) -> str | bool:
            with self._session.store.read() as reader:
                image = reader.images.get(image_id)
            if not self._is_missing(image, THUMBNAIL, white):
                return False
            try:
                self._made(image, THUMBNAIL, white)
            except UnreadableSource as error:
                return str(error)
            if self._is_missing(image, THUMBNAIL, white):
                raise OutputUnwritable(
                    self.cache.folder,
                    f"it cannot be written, or less than {LEAST_FREE >> 30} GiB of its disk is free",
                )
            return True

        found = prefetch(make, images, threads=threads, ahead=16 * threads)
        for done, each in enumerate(found, 1):
            made += each is True
            if isinstance(each, str):
                failed.append(each)
            progress("making thumbnails", done, len(images))
        return ThumbnailSummary(len(images), made, len(images) - made - len(failed), tuple(failed))

    # ------------------------------------------------------------------------------------- making

    def _is_missing(self, image: Image, side: int, white: int | None) -> bool:
        size = (image.width, image.height)
        if rendition_size(*size, side) == size:
            return False
        return not self.cache.holds(_name(image.hash, side, _version(white)))

    def _made(self, image: Image, side: int | None, white: int | None) -> Rendition:
        version = _version(white)
        name = _name(image.hash, side, version)
        with self._turn(name):
            kept = self.cache.get(name)
            kind = None if kept is None else media_type(kept)
            if kept is not None and kind is not None:
                return Rendition(kind, kept, version)
            data = original_bytes(self._session.folder, image)
            if name in self._plain:
                return Rendition(self._plain[name], data, version)
            try:
                picture, itself = make_rendition(data, side, white)
            except Undecodable as error:
                raise UnreadableSource(
                    f"The image {image.hash[:12]} cannot be shown: {error.detail}. It was readable when it "
                    f"was imported: a decoder may be missing here, see `alworkbench doctor`."
                ) from error
            if itself:
                self._remember(name, picture)
            else:
                self.cache.put(name, picture.data)
            return Rendition(picture.media_type, picture.data, version)

    def _remember(self, name: str, picture: DisplayImage) -> None:
        if len(self._plain) >= KNOWN_PLAIN:
            self._plain.clear()
        self._plain[name] = picture.media_type

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """A block in which no other thread of this process makes the same rendition."""
        with self._lock:
            turn = self._making.setdefault(name, _Turn())
            turn.waiting += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.waiting -= 1
                if turn.waiting == 0:
                    del self._making[name]


class _Turn:
    """A lock that is forgotten when nobody waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0


def original_bytes(folder: ProjectFolder, image: Image) -> bytes:
    """The bytes of the first of an image's files that still holds it, the newest file first.

    Raises UnreadableSource where none does.
    """
    problems = []
    for path in reversed(image.paths):
        file = resolve(folder, path)
        try:
            data = read_bytes(file)
        except Undecodable as error:
            problems.append(f"{file}: {error.detail}")
            continue
        if content_hash(data) == image.hash:
            return data
        problems.append(f"{file}: its content is not what was imported")
    raise UnreadableSource(
        f"The image {image.hash[:12]} cannot be shown: {'; '.join(problems)}. Bring the file "
        f"back, or import it from where it is now: `alworkbench import FOLDER`."
    )


def _version(white: int | None) -> str:
    return f"{RECIPE}-{white or MOST}"


def _name(content: str, side: int | None, version: str) -> str:
    return f"{version}/{content[:2]}/{content}-{side or 'full'}"
