"""The labelling page offers the classes in use alone, and refuses the keys of the others."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from alworkbench.core.domain import ClassList, LabelClass, Round, RoundState
from alworkbench.core.domain.class_changes import with_examples
from alworkbench.core.domain.classes_in_use import merged, retired
from ui.components.labeller import RoundProgress, component_data
from ui.messages import parse_answer
from ui.refusal import Refused

FOUR = ClassList(tuple(LabelClass(name, id=k) for k, name in enumerate("abcd", 1)), 1)


@pytest.mark.parametrize("change", [retired, lambda c, name: merged(c, [name], "d")])
def test_a_class_that_is_not_in_use_is_neither_shown_nor_accepted(change) -> None:
    classes = change(with_examples(FOUR, "a", ["5" * 64]), "b")
    opened = Round(
        1, 1, "random", 0, 5, 1, None, None, RoundState.OPEN, datetime(2024, 1, 1, tzinfo=UTC), None, 0.0
    )  # fmt: skip
    workbench = SimpleNamespace(images=SimpleNamespace(version=lambda: "1-65535"))
    state = SimpleNamespace(routes="/alw", project_key="p", workbench=workbench)
    shown = component_data(state, SimpleNamespace(id=1), opened, RoundProgress(0, 5), classes)[
        "classes"
    ]
    assert [each["name"] for each in shown] == ["a", "c", "d"]
    assert [len(each["examples"]) for each in shown] == [1, 0, 0]
    body = {"event_id": "e" * 16, "item_id": 1, "lease_token": "t", "kind": "class"}
    assert parse_answer(body | {"class_id": 1}, classes).class_id == 1
    with pytest.raises(Refused, match="'b' is not in use"):
        parse_answer(body | {"class_id": 2}, classes)
    with pytest.raises(Refused, match="no class"):
        parse_answer(body | {"class_id": 9}, classes)
