"""How reliability is drawn: accuracy against confidence, and by predicted class."""

from __future__ import annotations

from typing import Any

import altair as alt

from alworkbench.evaluation.calibration.reliability_diagram import FEW_IMAGES
from alworkbench.report.reliability_chart import ClassReliabilityChart, ReliabilityChart
from ui.views.charts import GREY, HEIGHT, LEGEND, SHARE_AXIS

MOST_DRAWN = 40
"""Classes of the chart; the table has all."""
_WHOLE = alt.Scale(domain=[0, 1], nice=False)


def diagram(chart: ReliabilityChart) -> alt.LayerChart:
    """Marks with intervals, and the diagonal on which probabilities hold."""
    rows = [
        {
            "who": name, "confidence": each.confidence, "right": each.accuracy,
            "low": each.accuracy_low, "high": each.accuracy_high, "images": each.images,
            "strength": 0.4 if each.few else 1.0,
        }
        for name, bins in chart.series
        for each in bins
        if each.images
    ]  # fmt: skip
    names = [name for name, _ in chart.series]
    several: dict[str, Any] = {"title": None, "sort": names, "legend": LEGEND}
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("confidence:Q", title="Confidence", axis=SHARE_AXIS, scale=_WHOLE),
        color=alt.Color("who:N", **several),
        opacity=alt.Opacity("strength:Q", scale=None, legend=None),
    )
    tooltip = [
        alt.Tooltip("who:N", title="Probabilities"),
        alt.Tooltip("confidence:Q", title="Mean confidence", format=".1%"),
        alt.Tooltip("right:Q", title="Right", format=".1%"),
        alt.Tooltip("low:Q", title="95 % from", format=".1%"),
        alt.Tooltip("high:Q", title="95 % to", format=".1%"),
        alt.Tooltip("images:Q", title="Images", format=","),
    ]
    y = alt.Y("right:Q", title="Share that is right", axis=SHARE_AXIS, scale=_WHOLE)
    line = alt.Chart(alt.InlineData(values=[{"at": 0, "is": 0}, {"at": 1, "is": 1}]))
    return alt.layer(
        line.mark_line(strokeDash=[5, 5], color=GREY, strokeWidth=1.5).encode(
            x=alt.X("at:Q", title="Confidence"), y=alt.Y("is:Q", title="Share that is right")
        ),
        base.mark_rule(strokeWidth=2).encode(
            y=alt.Y("low:Q", title="Share that is right"), y2="high:Q"
        ),
        base.mark_point(filled=True).encode(
            y=y,
            size=alt.Size("images:Q", legend=None, scale=alt.Scale(range=[40, 420])),
            shape=alt.Shape("who:N", **several),
            tooltip=tooltip,
        ),
    ).properties(height=HEIGHT + 60)


def class_lines(chart: ClassReliabilityChart) -> alt.LayerChart:
    """The share that is right with its interval, and the mean probability, of the largest classes."""
    most = sorted(chart.rows, key=lambda each: -each.images)[:MOST_DRAWN]
    rows = [
        {
            "name": each.name, "confidence": each.confidence, "low": each.low, "high": each.high,
            "right": each.right / each.images if each.images >= FEW_IMAGES else None,
            "images": each.images,
        }
        for each in chart.rows
        if each in most
    ]  # fmt: skip
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y(
            "name:N",
            title=None,
            sort=[row["name"] for row in rows],
            axis=alt.Axis(labelLimit=220, labelFlush=False),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="Taken for"),
            alt.Tooltip("confidence:Q", title="Mean probability", format=".1%"),
            alt.Tooltip("right:Q", title="Right", format=".1%"),
            alt.Tooltip("low:Q", title="95 % from", format=".1%"),
            alt.Tooltip("high:Q", title="95 % to", format=".1%"),
            alt.Tooltip("images:Q", title="Images", format=","),
        ],
    )
    return alt.layer(
        base.mark_rule(strokeWidth=3, color=GREY).encode(
            x=alt.X(
                "low:Q",
                title="Share that is right, and mean probability",
                axis=SHARE_AXIS,
                scale=_WHOLE,
            ),
            x2="high:Q",
        ),
        base.mark_point(size=80, filled=True, opacity=1).encode(x="right:Q"),
        base.mark_tick(thickness=3, size=16, color="#c4682b").encode(x="confidence:Q"),
    ).properties(height=max(120, 26 * len(rows)))
