"""Small laws of what the pages are made of."""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as some

from alworkbench.core.domain import MetricRecord
from alworkbench.core.errors import PortInUse
from alworkbench.core.words import percent
from alworkbench.evaluation.intervals import estimates
from alworkbench.project.measured_accuracy import intervals_overlap
from ui.door.addresses import is_loopback
from ui.measures import audit_curve, class_changes, summarise
from ui.serve import check_port, url_of
from ui.unbroken import unbroken
from ui.views.parts import count, escape_html, escape_markdown, with_commands
from ui.web import browser_files


@dataclass(frozen=True)
class Point:
    strategy: str
    seed: int
    labels: int
    accuracy: float


def record(labels: int, **values: object) -> MetricRecord:
    return MetricRecord(1, None, labels, 50, values, datetime(2026, 1, 1, tzinfo=UTC))


@settings(deadline=None, derandomize=True)
@given(values=some.lists(some.floats(0, 1), min_size=2, max_size=8))
def test_bands_are_the_intervals_of_reports(values: list[float]) -> None:
    (point,) = summarise(Point("epig", seed, 10, v) for seed, v in enumerate(values))
    (reported,) = estimates(np.array(values)[:, None])
    assert point.accuracy == reported
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    quantile = scipy.stats.t.ppf(0.975, len(values) - 1)
    half = quantile * (variance / len(values)) ** 0.5
    assert point.accuracy.low == pytest.approx(mean - half, abs=1e-9)
    assert point.accuracy.high == pytest.approx(mean + half, abs=1e-9)


def test_strategies_keep_their_order_and_one_seed_has_no_interval() -> None:
    points = summarise([Point("b", 0, 10, 0.5), Point("a", 0, 5, 0.25), Point("b", 0, 0, 0.125)])
    assert [(p.strategy, p.labels) for p in points] == [("b", 0), ("b", 10), ("a", 5)]
    assert all(p.accuracy.seeds == 1 and math.isnan(p.accuracy.low) for p in points)


def test_what_was_not_measured_is_not_drawn() -> None:
    curve = audit_curve([record(20, accuracy=0.5), record(0), record(10, accuracy=float("nan"))])
    assert [a.labels for a in curve] == [20]
    assert intervals_overlap(curve[0], curve[0]) is None
    before = record(0, per_class={"a": 0.5, "b": None})
    after = record(9, per_class={"a": 0.75, "b": 1.0, "new": 1.0})
    assert [(c.name, c.points) for c in class_changes(before, after)] == [("a", 25.0)]


@settings(deadline=None, derandomize=True)
@given(text=some.text())
def test_escaping_disarms_every_ascii_mark(text: str) -> None:
    escaped = escape_markdown(text)
    marks = set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    position = 0
    for character in text:
        if character in marks:
            assert escaped[position] == "\\"
            position += 1
        assert escaped[position] == character
        position += 1
    assert position == len(escaped)


def test_commands_in_a_message_are_drawn_as_code_and_nothing_else_is() -> None:
    assert (
        with_commands("No *a*: `alworkbench import F`.") == r"No \*a\*\: `alworkbench import F`\."
    )
    for odd in ("a `b", "a `` b", "`a\nb`"):
        assert with_commands(odd) == escape_markdown(odd)


def test_counts_agree_in_number() -> None:
    assert count(1, "label") == "1 label"
    assert count(1234, "label") == "1,234 labels"


def test_percentages_are_written_in_one_way() -> None:
    assert [percent(0.5904), percent(1, 0)] == ["59.0 %", "100 %"]
    root = Path(__file__).parents[2]
    sources = [path for room in ("alworkbench", "ui") for path in (root / room).rglob("*.py")]
    other = re.compile(r":\.\d%\}|\{100 \* [^{}]*:\.\df\} %")
    assert not [path for path in sources if other.search(path.read_text(encoding="utf-8"))]


def test_a_port_in_use_is_refused_before_anything_is_loaded() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port + 1)):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_only_this_machine_is_served_by_default() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("lab.example")
    assert url_of("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert url_of("::1", 80) == "http://[::1]:80"


@pytest.mark.parametrize("written", [escape_markdown, escape_html, with_commands])
def test_a_page_never_parts_a_number_from_its_unit(written: Callable[[str], str]) -> None:
    for unit in ("%", "points", "point"):
        words = unbroken(f"It is 59.0 {unit}, and 3 images")
        assert words == f"It is 59.0\u00a0{unit}, and 3 images"
        shown = written(f"It is 59.0 {unit}, and 3 images").replace("\\", "")
        assert shown == words


def test_the_modules_of_the_browser_write_no_blank_that_parts_a_percentage() -> None:
    parted = re.compile(r"(?:\d|\}) %[\"'`]|[\"'`] %[\"'`]")
    for path, content in browser_files().items():
        if path.endswith(".js"):
            assert parted.findall(content.decode()) == [], path
