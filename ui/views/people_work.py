"""How people work, on the page of people: pace, agreement with its interval, and what each holds now."""

from __future__ import annotations

import streamlit as st

from alworkbench.core.words import percent
from alworkbench.project.team import PersonPace
from alworkbench.report.chart_table import ChartTable
from ui.state import UiState
from ui.views.charts import show_table
from ui.views.parts import caption, count, escape_markdown


def people_work(state: UiState) -> None:
    """Draw the section. The figures are read from all answers, so only when somebody asks for them."""
    st.header("How people work", anchor=False)
    if not st.toggle("Show pace and agreement", key="show-pace"):
        caption("Pace, agreement with others, and how many images each person holds now.")
        return
    team = state.workbench.team
    pace, held = team.pace(), team.held()
    if not pace and not held:
        caption("Nobody has answered yet. The figures appear with the first answers.")
        return
    table = pace_table(pace, held)
    show_table(table, "Pace and agreement of each person")
    st.download_button(
        "Save table (CSV)",
        table.csv,
        file_name="pace.csv",
        mime="text/csv",
        key="csv-pace",
        on_click="ignore",
    )
    caption(
        "Seconds are the median from the picture on the screen to the answer. Agreement is with the most "
        "common class that the others gave, with its 95 % Wilson interval. Late answers are second opinions."
    )
    _agreement(state)


def pace_table(pace: list[PersonPace], held: dict[str, int]) -> ChartTable:
    """One row for each person with an answer or an image in hand."""
    known = {each.person: each for each in pace}
    names = sorted(known.keys() | held.keys())
    rows = [known.get(name) for name in names]
    return ChartTable(
        {
            "Person": names,
            "Answers": [0 if each is None else each.answers for each in rows],
            "Seconds": [None if each is None else each.median_seconds for each in rows],
            "No class": [None if each is None else each.no_class for each in rows],
            "Late": [None if each is None else each.late for each in rows],
            "Agreement [95 %]": ["" if each is None else _agreed(each) for each in rows],
            "Holds now": [held.get(name, 0) for name in names],
        },
        frozenset({"No class"}),
    )


def _agreed(each: PersonPace) -> str:
    if each.agreement is None or each.low is None or each.high is None:
        return ""
    interval = f"[{100 * each.low:.0f}, {100 * each.high:.0f}]"
    return f"{percent(each.agreement, 0)} {interval} of {count(each.compared, 'image')}"


def _agreement(state: UiState) -> None:
    found, bias = state.workbench.team.agreement(), state.workbench.team.suggestions()
    if found.images == 0:
        caption(
            "No image has classes of two people, so agreement is not measured. The setting `overlap` asks "
            "several people about each image."
        )
    else:
        value = "not defined" if found.alpha is None else f"{found.alpha:.3f}"
        if found.low is not None and found.high is not None:
            value += f" [{found.low:.3f}, {found.high:.3f}]"
        st.write(
            f"Krippendorff's alpha is {value} on {count(found.images, 'image')}: 1 is full agreement, "
            f"0 is as much as chance gives."
        )
        show_table(
            ChartTable(
                {
                    "People": [f"{each.first}, {each.second}" for each in found.pairs],
                    "Images": [each.images for each in found.pairs],
                    "Same class": [each.share for each in found.pairs],
                    "Cohen's kappa": [
                        None if each.kappa is None else round(each.kappa, 3) for each in found.pairs
                    ],
                },
                frozenset({"Same class"}),
            ),
            "Agreement of each pair of people",
        )
    caption(escape_markdown(bias.words))
