"""Where the files lie that come with the package: the bundled model, its posterior and the sample."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]

BUNDLED = _PACKAGE / "encoders" / "bundled"
"""The folder of the bundled model."""
BUNDLED_NAME = "alworkbench-tiny"
BUNDLED_POSTERIOR = BUNDLED / f"{BUNDLED_NAME}-posterior.safetensors"
SAMPLE_FOLDER = _PACKAGE / "datasets" / "sample"


def bundled_posterior(spec: str) -> Path | None:
    """The posterior file that comes with the encoder of this spec, or None."""
    return BUNDLED_POSTERIOR if spec == "bundled" else None
