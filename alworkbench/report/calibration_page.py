"""The page of a comparison of calibrations, and its files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alworkbench import __version__
from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.words import percent
from alworkbench.report.calibration_drawings import (
    overview_picture,
    reliability_picture,
    risk_picture,
    template_picture,
)
from alworkbench.report.calibration_findings import (
    HOW_TO_READ,
    dispersion_words,
    findings,
    headline,
)
from alworkbench.report.calibration_tables import (
    HEADER,
    prompt_table,
    result_caption,
    result_groups,
    temperature_table,
)
from alworkbench.report.pictures import Drawing
from alworkbench.report.rendering import render

if TYPE_CHECKING:
    from alworkbench.calibration_study.result import StudyResult

PAGE, RECORD = "calibration.html", "calibration.json"


@dataclass(frozen=True, slots=True)
class CalibrationFiles:
    """Where a comparison was written."""

    page: Path
    record: Path
    """Everything as JSON."""
    pictures: tuple[Path, ...]
    """PNG and SVG of each."""


def calibration_json(result: StudyResult) -> dict[str, Any]:
    """Everything that the page shows."""
    return {
        "headline": headline(result),
        "findings": findings(result),
        **result.record(),
    }


def calibration_page(result: StudyResult, drawn: Sequence[Drawing]) -> str:
    """The page as HTML."""
    reference = result.reference
    return render(
        "calibration.html",
        result=result,
        drawings={each.picture.name.replace("-", "_"): each for each in drawn},
        headline=headline(result),
        outcome="none",
        findings=findings(result),
        how_to_read=HOW_TO_READ,
        facts=_facts(result),
        header=HEADER,
        groups=result_groups(result),
        caption=result_caption(result),
        prompts=prompt_table(result),
        temperatures=temperature_table(result),
        dispersion=dispersion_words(result),
        conditions=_conditions(result),
        reference=reference,
        version=__version__,
    )


def write_calibration(result: StudyResult, folder: Path) -> CalibrationFiles:
    """Write the JSON, the pictures and the page into a folder; the page is written last."""
    drawn = [
        make(result).render()
        for make in (overview_picture, reliability_picture, risk_picture, template_picture)
    ]
    place = folder / "pictures"
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for each in drawn:
        for kind, data in (("png", each.png), ("svg", each.svg.encode())):
            path = place / f"{each.picture.name}.{kind}"
            write_atomically(path, data)
            written.append(path)
    files = CalibrationFiles(folder / PAGE, folder / RECORD, tuple(written))
    content = json.dumps(
        calibration_json(result), allow_nan=False, indent=1, ensure_ascii=False, default=str
    )
    write_atomically(files.record, content.encode())
    write_atomically(files.page, calibration_page(result, drawn).encode())
    return files


def _facts(result: StudyResult) -> list[tuple[str, str]]:
    return [
        ("data", result.name),
        ("images", f"{result.images:,}"),
        ("classes", str(len(result.classes))),
        ("templates", str(len(result.settings.templates))),
        ("encoder", result.encoder.spec),
        ("seed", str(result.settings.seed)),
    ]


def _conditions(result: StudyResult) -> list[tuple[str, str]]:
    """Everything that decides the figures."""
    settings, tuning = result.settings, result.settings.tuning
    drawn = (
        f"{result.origin} {result.images:,} of {result.labelled:,} were drawn at random."
        if result.images < result.labelled
        else f"{result.origin} All {result.labelled:,} are used, in a random order."
    )
    versions = ", ".join(
        f"{name} {result.versions[name]}" for name in ("alworkbench", "torch", "numpy", "python")
    )
    posterior = "; ".join(
        f"{side} side: {facts['pairs']:,} pairs, pseudo-data weight {facts['pseudo_data_weight']:.4g}, "
        f"prior precision {facts['prior_precision']:.4g}"
        for side, facts in result.posterior.items()
    )
    left_out = f"{len(result.unreadable)}" + (
        f", such as {result.unreadable[0].path} ({result.unreadable[0].detail})"
        if result.unreadable
        else ""
    )
    found = [
        ("labelled images", drawn),
        ("left out because their file could not be read", left_out),
        (
            "choice of prompts",
            f"without labels: {len(settings.templates)} templates ranked by ATFD on "
            f"{result.pool:,} images of the pool, after those that agree less often with all "
            f"templates together were removed",
        ),
        (
            "temperatures",
            "cross-fitted in 5 parts, after the probit approximation where it is used",
        ),
        ("encoder", f"{result.encoder.spec} ({result.encoder.id})"),
        ("posterior, used as it was fitted", posterior),
        ("classes", ", ".join(result.classes)),
        ("class list digest", result.class_list),
        (
            "tuning",
            f"one step from “{tuning.phrase}”, {settings.views} views without AugMix, the "
            f"{percent(tuning.confident_share, 0)} most confident, learning rate {tuning.learning_rate:g}",
        ),
        ("seed", f"{settings.seed}: of the sample, the views and the resamples"),
        ("resamples", f"{settings.resamples:,}"),
        ("machine", f"{result.versions['device']}, threads {result.versions['threads']}"),
        ("versions", f"{versions}, code {result.versions['code']}"),
    ]
    if result.cut_names:
        names = ", ".join(result.cut_names)
        found.append(("classes whose prompt is longer than the model reads", names))
    return found
