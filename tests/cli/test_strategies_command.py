"""`alworkbench strategies` prints one line and the cost of each strategy."""

import json

from typer.testing import CliRunner

from alworkbench.acquisition.catalogue import STRATEGIES
from alworkbench.cli.main import app
from alworkbench.core.domain import DEFAULT_STRATEGY


def run(*arguments):
    result = CliRunner().invoke(app, ["strategies", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_strategy_is_one_line():
    lines = run().splitlines()
    assert [line.split()[0] for line in lines[1:]] == [s.name for s in STRATEGIES]


def test_the_default_is_marked():
    marked = [line.split()[0] for line in run().splitlines() if line.split()[1] == "*"]
    said = [row["name"] for row in json.loads(run("--json")) if row["default"]]
    assert marked == said == [DEFAULT_STRATEGY]


def test_costs_depend_on_the_given_sizes():
    sizes = ["--pool", "1000", "--classes", "5", "--batch", "3", "--json"]
    small = {row["name"]: row for row in json.loads(run(*sizes))}
    sizes[1] = "100000"
    large = {row["name"]: row for row in json.loads(run(*sizes))}
    assert list(small) == [s.name for s in STRATEGIES]
    for name, row in small.items():
        assert {"summary", "unit", "range", "source", "cost"} <= set(row)
        assert 0 < row["cost"]["memory_bytes"] <= large[name]["cost"]["memory_bytes"]
        assert row["cost"]["seconds"] < large[name]["cost"]["seconds"] or name == "random"
    assert "cost" not in json.loads(run("--json"))[0]
    shown = run("--pool", "1000").splitlines()
    assert shown[0].split()[-2:] == ["seconds", "MiB"]
    assert len(shown) == 1 + len(STRATEGIES)
