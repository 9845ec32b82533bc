"""The start page names the classes whose names the model does not know, until they have labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.fake_workbench import NAMES
from tests.ui.test_pages import answer_all, draw, install, open_round
from ui.views.project import MOST_NAMES, unknown_names

pytestmark = pytest.mark.usefixtures("state")


def told(app) -> str:
    assert not app.exception
    return " ".join(info.value for info in app.info)


def test_unknown_names_are_listed_before_their_first_label(tmp_path: Path) -> None:
    install(open_round(tmp_path, unknown_classes=NAMES[2:4]))
    shown = told(draw("project"))
    assert "does not know these names" in shown
    assert NAMES[2] in shown
    assert NAMES[3] in shown
    assert NAMES[0] not in shown


def test_a_name_with_labels_is_not_listed(tmp_path: Path) -> None:
    workbench = open_round(tmp_path, unknown_classes=(NAMES[0], NAMES[-1]))
    answer_all(workbench)
    labels = dict(zip(NAMES, workbench.status().labels_per_class, strict=True))
    left = [name for name in workbench.status().unknown_classes if not labels[name]]
    install(workbench)
    shown = told(draw("project"))
    assert ("does not know" in shown) == bool(left)


def test_nothing_is_listed_if_all_names_are_known(tmp_path: Path) -> None:
    install(open_round(tmp_path))
    assert "does not know" not in told(draw("project"))


def test_the_first_names_are_listed_and_the_others_counted() -> None:
    names = [f"name {k}" for k in range(MOST_NAMES + 3)]
    assert unknown_names(names).count("name ") == MOST_NAMES
    assert "and 3 more names" in unknown_names(names)
    assert unknown_names(["coat"]).startswith("The model does not know this name: coat.")
