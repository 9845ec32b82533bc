"""Charts as every page draws them: the chart, its values as a table, and both as files.

A page makes the values of a chart (`alworkbench.report`), and this module draws them. The files are the
same values: a CSV table, and a PNG picture by the library of reports, made when somebody asks for it.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from alworkbench.report.chart_table import ChartTable
from alworkbench.report.line_chart import LineChart
from alworkbench.report.pictures import Picture
from ui.views.parts import escape_markdown

GREY = "#8a8f94"
"""Legible on the light and on the dark page."""
LOCALE = alt.Locale(
    number=alt.NumberLocale(
        decimal=".", thousands=",", grouping=[3], currency=["$", ""], percent=" %"
    )
)
"""Charts write percentages as `core.words.percent` does."""
HEIGHT = 340
"""Of a chart of lines, in pixels."""
SHARE_AXIS = alt.Axis(format=".0%", tickCount=6, grid=True)
COUNT_AXIS = alt.Axis(format="d", tickMinStep=1, tickCount=10, grid=False)
LEGEND = alt.Legend(
    orient="top",
    columns=4,
    symbolOpacity=1,
    offset=12,
    labelLimit=480,
    titleLimit=480,
)


def show(
    drawn: alt.TopLevelMixin, picture: Picture, table: ChartTable, *, unfolded: bool = False
) -> None:
    """Draw a chart with its text alternative, and below it the table with the two files.

    The names of pictures of one page differ: they are also the keys of the buttons.
    """
    drawn = drawn.configure(locale=LOCALE)
    st.altair_chart(drawn, alt=picture.alt, key=f"chart-{picture.name}")
    values(picture, table, unfolded=unfolded)


def values(picture: Picture, table: ChartTable, *, unfolded: bool = False) -> None:
    """The fold below a chart: its table, and the buttons that save picture and table."""
    title = escape_markdown(f"{picture.title}: table and files")
    with st.expander(title, expanded=unfolded):
        show_table(table, picture.alt)
        with st.container(horizontal=True):
            st.download_button(
                "Save picture (PNG)",
                lambda: picture.render().png,
                file_name=f"{picture.name}.png",
                mime="image/png",
                key=f"png-{picture.name}",
                on_click="ignore",
            )
            st.download_button(
                "Save table (CSV)",
                table.csv,
                file_name=f"{picture.name}.csv",
                mime="text/csv",
                key=f"csv-{picture.name}",
                on_click="ignore",
            )


def show_table(table: ChartTable, alternative: str) -> None:
    """The table with shares in percent. A click on the head of a column sorts by it."""
    shown = {
        name: [100 * cell if isinstance(cell, int | float) else None for cell in cells]
        if name in table.shares
        else list(cells)
        for name, cells in table.columns.items()
    }
    percents: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="%.1f %%") for name in table.shares
    }
    st.dataframe(shown, hide_index=True, alt=alternative, column_config=percents)


def show_lines(chart: LineChart) -> None:
    """Draw lines with their bands. Colour, dashes and marks tell them apart."""
    show(_lines(chart), chart.picture(), chart.table())


def _lines(chart: LineChart) -> alt.LayerChart:
    rows = [
        {
            "who": line.name,
            "x": point.x,
            "y": point.y,
            "low": point.low if point.has_interval else point.y,
            "high": point.high if point.has_interval else point.y,
        }
        for line in chart.lines
        for point in line.points
    ]
    names = [line.name for line in chart.lines]
    title = f"{chart.y}; band: {chart.band}" if chart.band else None
    several: dict[str, Any] = {"title": title, "sort": names, "legend": LEGEND}
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("x:Q", title=chart.x, axis=COUNT_AXIS),
        color=alt.Color("who:N", **several),
    )
    axis = SHARE_AXIS if chart.share else alt.Axis(tickCount=6, grid=True)
    y = alt.Y("y:Q", title=chart.y, axis=axis, scale=alt.Scale(zero=False, nice=True))
    form = ".1%" if chart.share else ".3f"
    tooltip = [
        alt.Tooltip("who:N", title=chart.who),
        alt.Tooltip("x:Q", title=chart.x, format=","),
        alt.Tooltip("y:Q", title=chart.y, format=form),
        alt.Tooltip("low:Q", title="95 % from", format=form),
        alt.Tooltip("high:Q", title="95 % to", format=form),
    ]
    layers: list[alt.Chart] = [
        base.mark_area(opacity=0.14).encode(y=alt.Y("low:Q", title=chart.y), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(y=y, strokeDash=alt.StrokeDash("who:N", **several)),
        base.mark_point(size=60, filled=True, opacity=1).encode(
            y=y, shape=alt.Shape("who:N", **several), tooltip=tooltip
        ),
    ]
    if chart.levels:
        levels = alt.Chart(
            alt.InlineData(values=[{"name": each.name, "y": each.y} for each in chart.levels])
        )
        layers.insert(
            0,
            levels.mark_rule(strokeDash=[5, 5], color=GREY, size=1.5).encode(y=y, tooltip="name:N"),
        )
        layers.append(
            levels.mark_text(align="right", dx=-4, dy=-7).encode(
                y=y, x=alt.value("width"), text="name:N"
            )
        )
    return alt.layer(*layers).properties(height=HEIGHT)
