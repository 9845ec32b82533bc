"""Numbers from files: each array is brought to one type where it enters the program.

Files may hold float16, float32 or float64, and integers of any width. Everything behind the readers
computes in the type that the reader names, so that no two arrays of a file can disagree later.
"""

from __future__ import annotations

import torch
from torch import Tensor


def floats(values: Tensor, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """Floating-point values of any width, of the same shape, in `dtype`.

    Raises ValueError with the name if they are no floating-point numbers, or not finite in `dtype`.
    """
    if not values.is_floating_point():
        raise ValueError(f"{name} holds {values.dtype}, expected floating-point numbers")
    found = values.to(dtype)
    if not bool(found.isfinite().all()):
        raise ValueError(f"{name} holds values that are not finite in {dtype}")
    return found


def integers(values: Tensor, name: str) -> Tensor:
    """Integers of any width, of the same shape, in int64. Raises ValueError for other types."""
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name} holds {values.dtype}, expected integers")
    return values.to(torch.int64)
