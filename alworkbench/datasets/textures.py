"""`textures`: fourteen families of patterns, each with its own random period, angle and contrast.

Dimensions used in this file
    H, W  pixels of the picture
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter

from alworkbench.core.domain import LabelClass
from alworkbench.core.progress import Progress
from alworkbench.datasets.cards import DatasetCard, imbalance_of, long_tail
from alworkbench.datasets.generated import draw_collection, expose
from alworkbench.datasets.labelled_images import POOL, TEST, Collection, CollectionImages

SIDE = 48
POOL_IMAGES = 4000
POOL_IMBALANCE = 5.0
TEST_PER_CLASS = 72
EDGE = 0.6
"""Half the width of a soft edge, in pixels: lines are drawn without steps."""

Plane = Float[np.ndarray, "H W"]


@dataclass(frozen=True, slots=True)
class Frame:
    """Coordinates, turned and shifted at random."""

    x: Plane
    y: Plane
    period: float
    """In pixels."""
    random: np.random.Generator

    @classmethod
    def draw(cls, random: np.random.Generator) -> Frame:
        """A frame with random angle, shift and period."""
        rows, columns = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
        angle = random.uniform(0, 2 * np.pi)
        shift = random.uniform(-SIDE / 4, SIDE / 4, size=2)
        x = np.cos(angle) * columns - np.sin(angle) * rows + shift[0]
        y = np.sin(angle) * columns + np.cos(angle) * rows + shift[1]
        return cls(x, y, random.uniform(7.0, 14.0), random)

    @property
    def radius(self) -> Plane:
        """Distance from the centre, in pixels."""
        radius: Plane = np.hypot(self.x, self.y)
        return radius

    @property
    def angle(self) -> Plane:
        """Angle about the centre, in radians."""
        angle: Plane = np.arctan2(self.y, self.x)
        return angle


def _soft(distance: Plane) -> Plane:
    """1 for positive distances (in pixels), 0 for negative ones, smooth between."""
    share: Plane = np.clip(0.5 + distance / (2 * EDGE), 0.0, 1.0)
    return share


def _band(position: Plane, period: float, share: float = 0.5) -> Plane:
    """1 on stripes that fill this share of the period (in pixels), 0 between them."""
    off = np.abs((position / period) % 1.0 - 0.5) * period  # from the middle of the stripe
    return _soft(share * period / 2 - off)


def _stripes(frame: Frame) -> Plane:
    return _band(frame.x, frame.period, frame.random.uniform(0.35, 0.65))


def _checks(frame: Frame) -> Plane:
    one, other = _band(frame.x, frame.period * 1.3), _band(frame.y, frame.period * 1.3)
    same: Plane = one * other + (1 - one) * (1 - other)
    return same


def _dots(frame: Frame) -> Plane:
    x, y = ((axis / frame.period) % 1.0 - 0.5 for axis in (frame.x, frame.y))
    return _soft(frame.period * (frame.random.uniform(0.22, 0.34) - np.hypot(x, y)))


def _rings(frame: Frame) -> Plane:
    return _band(frame.radius, frame.period * 0.8)


def _waves(frame: Frame) -> Plane:
    height, length = frame.random.uniform(2.5, 5.0), frame.random.uniform(14.0, 24.0)
    return _band(frame.x + height * np.sin(2 * np.pi * frame.y / length), frame.period)


def _zigzags(frame: Frame) -> Plane:
    length = frame.random.uniform(10.0, 18.0)
    slope = frame.random.uniform(0.7, 1.1)
    return _band(frame.x + slope * np.abs(frame.y % length - length / 2), frame.period)


def _rays(frame: Frame) -> Plane:
    count = frame.random.integers(6, 13)
    # Distances are in pixels along the circle, so edges are equally soft at every radius.
    return _soft(np.sin(count * frame.angle) * frame.radius / count)


def _spiral(frame: Frame) -> Plane:
    arms = frame.random.choice([-2, -1, 1, 2])
    return _band(frame.radius + arms * frame.period * frame.angle / (2 * np.pi), frame.period)


def _bricks(frame: Frame) -> Plane:
    height, mortar = frame.period, 1.6
    length = height * frame.random.uniform(1.8, 2.4)
    course = np.floor(frame.y / height)
    along = frame.x + course % 2 * length / 2
    between_courses = _band(frame.y - height / 2, height, mortar / height)
    between_bricks = _band(along, length, mortar / length)
    bricks: Plane = 1 - np.maximum(between_courses, between_bricks)
    return bricks


def _grid(frame: Frame) -> Plane:
    share = frame.random.uniform(1.2, 2.0) / frame.period
    upright, level = _band(frame.x, frame.period, share), _band(frame.y, frame.period, share)
    lines: Plane = np.maximum(upright, level)
    return lines


def _cells(frame: Frame) -> Plane:
    count = int(frame.random.integers(14, 26))
    seeds = frame.random.uniform(-SIDE * 0.75, SIDE * 0.75, size=(2, count))
    distances = np.hypot(frame.x[..., None] - seeds[0], frame.y[..., None] - seeds[1])
    nearest = np.partition(distances, 1, axis=-1)
    return _soft(nearest[..., 1] - nearest[..., 0] - 1.6)


def _gradient(frame: Frame) -> Plane:
    return _spread(frame.x)


def _clouds(frame: Frame) -> Plane:
    noise = frame.random.normal(size=(SIDE, SIDE))
    return _spread(gaussian_filter(noise, frame.random.uniform(3.0, 5.0), mode="wrap"))


def _grains(frame: Frame) -> Plane:
    noise = frame.random.normal(size=(SIDE, SIDE))
    return _spread(gaussian_filter(noise, frame.random.uniform(0.3, 0.8), mode="wrap"))


def _spread(plane: Plane) -> Plane:
    low, high = plane.min(), plane.max()
    spread: Plane = (plane - low) / (high - low)
    return spread


FAMILIES: dict[str, Callable[[Frame], Plane]] = {
    "stripes": _stripes,
    "checks": _checks,
    "polka dots": _dots,
    "rings": _rings,
    "waves": _waves,
    "zigzags": _zigzags,
    "rays": _rays,
    "spirals": _spiral,
    "bricks": _bricks,
    "grid lines": _grid,
    "cells": _cells,
    "a smooth gradient": _gradient,
    "clouds": _clouds,
    "grains": _grains,
}
"""Families in order of frequency in the pool, the most frequent first."""
_DRAWERS = tuple(FAMILIES.values())


def draw_texture(generator: np.random.Generator, label: int) -> UInt8[np.ndarray, "48 48"]:
    """One picture of a family."""
    return expose(generator, _DRAWERS[label](Frame.draw(generator)), least_contrast=0.4, noise=12.0)


_POOL = long_tail(POOL_IMAGES, len(FAMILIES), POOL_IMBALANCE)


def _draw(seed: int, progress: Progress) -> CollectionImages:
    return draw_collection(seed, _POOL, [TEST_PER_CLASS] * len(FAMILIES), draw_texture, progress)


_SIZES = dict(zip(FAMILIES, _POOL, strict=True))
TEXTURES = Collection(
    DatasetCard(
        name="textures",
        source="Drawn by this program",
        licence="Apache-2.0, as this program",
        classes=tuple(
            LabelClass(name, ("a picture of {}.", "a texture of {}.", "an image of {}."))
            for name in FAMILIES
        ),
        sizes={POOL: _SIZES, TEST: dict.fromkeys(FAMILIES, TEST_PER_CLASS)},
        imbalance=imbalance_of(_SIZES),
        purpose="Moderate imbalance in a domain that the bundled model never saw",
        role="report",
    ),
    summary="Drawn patterns of fourteen families, moderately imbalanced",
    recipe=1,
    draw=_draw,
)
