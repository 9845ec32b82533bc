"""`shapes`: one or two drawn figures, filled in four ways: eighty classes with a long tail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from alworkbench.core.domain import LabelClass
from alworkbench.core.progress import Progress
from alworkbench.datasets.cards import DatasetCard, imbalance_of, long_tail
from alworkbench.datasets.generated import draw_collection, expose
from alworkbench.datasets.labelled_images import POOL, TEST, Collection, CollectionImages

SIDE = 48
FINER = 3
POOL_IMAGES = 6000
POOL_IMBALANCE = 20.0
TEST_PER_CLASS = 20
LARGEST_TURN = 18.0  # degrees: small enough that a square stays a square

Outline = Float[np.ndarray, "points 2"]
"""Corners in order; x to the right, y down; roughly inside the unit circle."""


def _arc(start: float, end: float, points: int = 40) -> Outline:
    """A point of the unit circle; the angle is in degrees."""
    angles = np.radians(np.linspace(start, end, points))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _heart() -> Outline:
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    outline: Outline = np.stack([x, -y - 2.5], axis=1) / 16
    return outline


def _star() -> Outline:
    radius = np.tile([1.0, 0.42], 5)[:, None]
    outline: Outline = _arc(-90.0, 234.0, 10) * radius
    return outline


def _polygon(*corners: tuple[float, float]) -> Outline:
    return np.array(corners)


_CRESCENT = np.concatenate([_arc(50.0, 310.0), _arc(282.0, 78.0) * 0.8 + np.array((0.48, 0.0))])

FIGURES: dict[str, Outline] = {
    "circle": _arc(0.0, 360.0, 60) * 0.95,
    "square": _polygon((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)),
    "triangle": _polygon((0.0, -0.95), (0.95, 0.75), (-0.95, 0.75)),
    "star": _star(),
    "cross": _polygon(
        *((-0.3, -0.95), (0.3, -0.95), (0.3, -0.3), (0.95, -0.3), (0.95, 0.3), (0.3, 0.3)),
        *((0.3, 0.95), (-0.3, 0.95), (-0.3, 0.3), (-0.95, 0.3), (-0.95, -0.3), (-0.3, -0.3)),
    ),
    "heart": _heart(),
    "crescent": _CRESCENT,
    "arrow": _polygon(
        *((-0.95, -0.3), (0.1, -0.3), (0.1, -0.8), (0.98, 0.0)),
        *((0.1, 0.8), (0.1, 0.3), (-0.95, 0.3)),
    ),
    "hourglass": _polygon((-0.8, -0.95), (0.8, -0.95), (-0.8, 0.95), (0.8, 0.95)),
    "half circle": _arc(180.0, 360.0) + np.array((0.0, 0.45)),
}
FILLS = ("filled", "outlined", "striped", "checked")
COUNTS = ("one", "two")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the pictures of a class show."""

    count: int
    fill: str
    figure: str

    @property
    def name(self) -> str:
        """The class name, such as "two red circles"."""
        plural = "" if self.count == 1 else "es" if self.figure.endswith("s") else "s"
        return f"{COUNTS[self.count - 1]} {self.fill} {self.figure}{plural}"


KINDS = tuple(Kind(count, fill, figure) for count in (1, 2) for fill in FILLS for figure in FIGURES)
_NAMES = tuple(kind.name for kind in KINDS)
# The order of a hash: how frequent a class is does not depend on what it shows.
_BY_FREQUENCY = sorted(_NAMES, key=lambda name: hashlib.sha256(name.encode()).digest())
_SIZE_OF = dict(
    zip(_BY_FREQUENCY, long_tail(POOL_IMAGES, len(_NAMES), POOL_IMBALANCE), strict=True)
)
_POOL = {name: _SIZE_OF[name] for name in _NAMES}


def draw_shape(generator: np.random.Generator, label: int) -> UInt8[np.ndarray, "48 48"]:
    """One picture of a class."""
    kind = KINDS[label]
    side = SIDE * FINER
    canvas = Image.new("L", (side, side))
    for centre, radius in _places(generator, kind.count):
        _add(canvas, generator, kind, centre * side, radius * side)
    fine = np.asarray(canvas, dtype=np.float64) / 255
    picture = fine.reshape(SIDE, FINER, SIDE, FINER).mean(axis=(1, 3))
    return expose(generator, picture, least_contrast=0.5, noise=12.0)


def _places(
    generator: np.random.Generator, count: int
) -> list[tuple[Float[np.ndarray, "2"], float]]:
    """Centre (x, y) and radius of each figure, as a fraction of the side of the picture."""
    if count == 1:
        radius = generator.uniform(0.24, 0.42)
        return [(generator.uniform(radius + 0.04, 0.96 - radius, size=2), radius)]
    angle = generator.uniform(0, np.pi)
    away = 0.235 * np.array([np.cos(angle), np.sin(angle)])
    radius = generator.uniform(0.18, 0.21)
    return [(0.5 + away, radius), (0.5 - away, radius)]


def _add(
    canvas: Image.Image,
    generator: np.random.Generator,
    kind: Kind,
    centre: Float[np.ndarray, "2"],
    radius: float,
) -> None:
    turn = np.radians(generator.uniform(-LARGEST_TURN, LARGEST_TURN))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    outline = [tuple(point) for point in (FIGURES[kind.figure] @ rotation.T * radius + centre)]
    mask = Image.new("L", canvas.size)
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    if kind.fill == "filled":
        canvas.paste(255, mask=mask)
        return
    if kind.fill != "outlined":
        canvas.paste(_pattern(generator, kind.fill, canvas.size[0], centre), mask=mask)
    width = round(radius * 0.16) if kind.fill == "outlined" else FINER
    ImageDraw.Draw(canvas).line([*outline, *outline[:2]], fill=255, width=width, joint="curve")


def _pattern(
    generator: np.random.Generator, fill: str, side: int, centre: Float[np.ndarray, "2"]
) -> Image.Image:
    y, x = np.mgrid[0:side, 0:side]
    turn = generator.uniform(0, np.pi)
    along = np.cos(turn) * (x - centre[0]) + np.sin(turn) * (y - centre[1])
    across = np.cos(turn) * (y - centre[1]) - np.sin(turn) * (x - centre[0])
    half = FINER * generator.uniform(2.4, 3.2)  # of a period
    on = np.floor(along / half) % 2
    if fill == "checked":
        on = (on + np.floor(across / half)) % 2
    return Image.fromarray((255 * on).astype(np.uint8))


def _draw(seed: int, progress: Progress) -> CollectionImages:
    test = [TEST_PER_CLASS] * len(KINDS)
    return draw_collection(seed, list(_POOL.values()), test, draw_shape, progress)


SHAPES = Collection(
    DatasetCard(
        name="shapes",
        source="Drawn by this program",
        licence="Apache-2.0, as this program",
        classes=tuple(
            LabelClass(name, ("a picture of {}.", "a drawing of {}.", "an image of {}."))
            for name in _NAMES
        ),
        sizes={POOL: _POOL, TEST: dict.fromkeys(_NAMES, TEST_PER_CLASS)},
        imbalance=imbalance_of(_POOL),
        purpose="Very many classes with a long tail, of a domain that the bundled model never saw",
        role="report",
    ),
    summary="One or two drawn figures, filled in four ways, with a long tail",
    recipe=1,
    draw=_draw,
)
