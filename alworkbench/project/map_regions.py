"""The grid on which the points of a map lie, and the points inside a line that somebody drew on it.

Places are whole numbers, and the browser computes with the same ones: both find the same points.

Dimensions used in this file
    N  points
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from alworkbench.core.errors import MapChanged
from alworkbench.project.image_columns import find_keys

if TYPE_CHECKING:
    from alworkbench.project.feature_map import FeatureMap, MapPositions
    from alworkbench.project.image_facts import ImageFacts
    from alworkbench.project.image_query import MapRegion

STEPS = 65_534
"""Steps over the longer side of a map."""


def mark_of(positions: MapPositions) -> str:
    """Names the layout and the points on it: the grid is the same where the mark is."""
    return f"{positions.number}.{len(positions.keys)}"


def on_grid(xy: Float[np.ndarray, "N 2"]) -> Int[np.ndarray, "N 2"]:
    """Whole numbers from 0 to STEPS; both directions have the same scale, and the shorter is centred."""
    if not len(xy):
        return np.zeros((0, 2), np.int64)
    low, high = xy.min(axis=0).astype(np.float64), xy.max(axis=0).astype(np.float64)
    side = max(float((high - low).max()), np.finfo(np.float32).tiny)
    moved = (xy - (low + high) / 2) / side + 0.5
    return np.rint(moved.clip(0, 1) * STEPS).astype(np.int64)


def inside(
    places: Int[np.ndarray, "N 2"], line: Sequence[tuple[int, int]]
) -> Bool[np.ndarray, "N"]:
    """Whether each point is inside a closed line, by the even-odd rule.

    Of a box, the left and lower sides belong to it, and the right and upper ones do not.
    """
    x, y = places.astype(np.float64).T
    odd = np.zeros(len(places), bool)
    for (x0, y0), (x1, y1) in zip(line, [*line[-1:], *line[:-1]], strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            odd ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


def in_region(map_: FeatureMap, facts: ImageFacts, region: MapRegion) -> Bool[np.ndarray, "M"]:
    """Whether each image lies inside a region of the map; an image without a place does not.

    Raises MapChanged where the grid is another one now, and what `FeatureMap.positions` raises.
    """
    from alworkbench.project.feature_map import Layout

    positions = map_.positions(Layout(region.layout))
    if mark_of(positions) != region.of:
        raise MapChanged
    chosen = inside(on_grid(positions.xy), region.points)
    at, there = find_keys(positions.keys, facts.keys)
    return there & np.append(chosen, False)[np.where(there, at, -1)]
