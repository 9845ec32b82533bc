"""Every bench is listed, either as one of `make bench` or with the reason why it runs alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.__main__ import ALONE, BENCHES, main

FOLDER = Path(__file__).parents[1] / "bench"


def test_every_bench_is_listed_once() -> None:
    runnable = {p.stem for p in FOLDER.glob("*.py") if "__main__" in p.read_text()} - {"__main__"}
    assert set(BENCHES) | set(ALONE) == runnable
    assert not set(BENCHES) & set(ALONE)


def test_the_list_says_what_each_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--list"])
    shown = capsys.readouterr().out
    assert all(f"{name:15s} {what}" in shown for name, what in (BENCHES | ALONE).items())


def test_an_unknown_bench_is_answered_with_the_nearest() -> None:
    with pytest.raises(SystemExit, match=r"no bench 'lures'\. Known are lure"):
        main(["lure", "lures"])
