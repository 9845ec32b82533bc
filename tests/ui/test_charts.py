"""Laws of charts: the table, the files and the drawing hold the same values; names are shown as they are."""

from __future__ import annotations

import csv
import io

import pytest
from streamlit.testing.v1 import AppTest

from alworkbench.report.line_chart import Level, Line, LineChart, LinePoint

NAMES = ("=1+1", "$x^2$ and $", "<b>bold</b>", "שלום", "**bold**")


def lines() -> LineChart:
    """A chart with names that a library could read as something else."""
    made = tuple(
        Line(name, (LinePoint(0, 0.1 * i, 0.05 * i, 0.15 * i), LinePoint(10, 0.1 * i + 0.3)))
        for i, name in enumerate(NAMES)
    )
    return LineChart(
        "accuracy", "Accuracy", "Accuracy by labels", "Labels", "Accuracy", made, "95 % interval",
        (Level("before $any$ label", 0.25),),
    )  # fmt: skip


def test_the_csv_holds_every_value_and_no_formula() -> None:
    table = lines().table()
    rows = list(csv.reader(io.StringIO(table.csv().decode())))
    assert rows[0] == list(table.columns)
    assert len(rows) == 1 + 2 * len(NAMES) + 1
    assert rows[1][0] == "'=1+1"
    assert not [cell for row in rows for cell in row if cell.startswith("=")]
    assert [float(row[2]) for row in rows[1:]] == list(table.columns["Accuracy"])
    assert rows[2][3:] == ["", ""]  # this point has no interval


@pytest.mark.filterwarnings("ignore:Glyph")
def test_the_picture_writes_names_as_they_are() -> None:
    drawing = lines().picture().render()
    assert drawing.png.startswith(b"\x89PNG")
    assert "$x^2$ and $" in drawing.svg
    assert "before $any$ label" in drawing.svg


def draw_lines() -> AppTest:
    def script() -> None:
        from tests.ui.test_charts import lines
        from ui.views.charts import show_lines

        show_lines(lines())

    return AppTest.from_function(script, default_timeout=20).run()


def test_a_chart_comes_with_its_table_and_both_files() -> None:
    app = draw_lines()
    assert not app.exception
    (table,) = app.dataframe
    assert list(table.value["Line"][:2]) == ["=1+1", "=1+1"]
    assert table.value["Accuracy"][1] == pytest.approx(30)  # in percent
    kinds = [each.proto.label for each in app.get("download_button")]
    assert kinds == ["Save picture (PNG)", "Save table (CSV)"]
