"""Plan files of simulations: YAML with plain values and no repeated word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from alworkbench.core.errors import InvalidPlan

MAX_BYTES = 1 << 20
"""Size limit of a plan file. A confusion matrix of 200 classes takes a third of it."""


def read_plan_file(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises InvalidPlan."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidPlan(
                f"{path} has more than {MAX_BYTES:,} bytes, so it is not a plan file."
            )
        values = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except OSError as error:
        raise InvalidPlan(f"The plan file {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPlan(f"{path} is not YAML: {str(error) or 'it is nested too deep'}") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InvalidPlan(
            f"{path} must hold lines such as `strategies: [random, coverage]`, one setting per line."
        )
    return values


class _UniqueKeyLoader(yaml.SafeLoader):
    """Loads plain values and refuses a repeated word; YAML itself would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.YAMLError(f"{name!r} is repeated in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep=deep)
