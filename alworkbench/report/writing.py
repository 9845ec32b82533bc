"""Write the files of a report into the folder of its result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import BASELINE_STRATEGY
from alworkbench.report.findings import Findings, findings_in
from alworkbench.report.page import Thumbnails, pictures, report_page
from alworkbench.report.pictures import curve_png
from alworkbench.report.text import as_json, markdown
from alworkbench.simulation.results import SimulationResult


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report was written."""

    page: Path
    markdown: Path
    json: Path
    pictures: tuple[Path, ...]
    """PNG and SVG of each."""
    findings: Findings


def write_curve(result: SimulationResult) -> Path:
    """Write the learning curve of a result as PNG into its folder, unless it exists."""
    if not result.picture.exists():
        write_atomically(result.picture, curve_png(result))
    return result.picture


def write_report(
    result: SimulationResult,
    thumbnails: Thumbnails | str | None = None,
    metric: str | None = None,
    baseline: str = BASELINE_STRATEGY,
    target: float | None = None,
) -> ReportFiles:
    """Write report.html, report.md, report.json and pictures/; the page is written last.

    `thumbnails` gives pictures of images, or says why there are none. Without `metric`, the metric is
    that of the simulation's goal. Without `target`, it is what the baseline reaches.
    """
    findings = findings_in(result, metric, baseline, target)
    drawn = [each.render() for each in pictures(result, findings)]
    place = result.folder / "pictures"
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for each in drawn:
        for kind, data in (("png", each.png), ("svg", each.svg.encode())):
            path = place / f"{each.picture.name}.{kind}"
            write_atomically(path, data)
            written.append(path)
    files = ReportFiles(
        result.page,
        result.folder / "report.md",
        result.folder / "report.json",
        tuple(written),
        findings,
    )
    write_atomically(files.markdown, markdown(result, findings).encode())
    content = json.dumps(as_json(result, findings), allow_nan=False, indent=1)
    write_atomically(files.json, content.encode())
    write_atomically(files.page, report_page(result, findings, drawn, thumbnails).encode())
    return files
