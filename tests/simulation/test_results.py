"""Results on disk: whole or not at all, read back as written, refused when they are something else."""

import json

import pytest

from alworkbench.core.errors import InvalidResult
from alworkbench.report.text import table_lines
from alworkbench.report.writing import write_curve
from alworkbench.simulation.results import (
    find_result,
    load_points,
    load_result,
    load_results,
    save_points,
)
from tests.made_results import made_points, made_result

FEW = {"random": 60.0, "epig": 30.0}


@pytest.fixture
def result(tmp_path):
    return made_result(tmp_path / "abc123", made_points(FEW, seeds=2, rounds=2))


def test_a_result_is_read_back_as_it_was_written(result):
    assert load_result(result.folder) == result
    assert [arm.strategy for arm in result.arms] == ["random", "epig"]
    assert result.seeds == (0, 1)
    assert result.curves[0].strategy == "random"
    assert {row.strategy for row in result.table()} == {"random", "epig"}
    assert "mean over 2 seeds" in result.summary()
    assert "TRANSDUCTIVE" not in result.summary()


def test_a_transductive_result_says_so_in_its_line(tmp_path):
    points = made_points(FEW, seeds=1, rounds=1)
    assert "TRANSDUCTIVE" in made_result(tmp_path / "x", points, transductive=True).summary()


def test_the_picture_of_the_same_points_is_the_same_bytes(tmp_path):
    points = made_points(FEW, seeds=2, rounds=2)
    one, other = (made_result(tmp_path / name, points) for name in "xy")
    assert write_curve(one).read_bytes() == write_curve(other).read_bytes()
    assert one.picture.read_bytes().startswith(b"\x89PNG")


def test_points_are_read_back_as_they_were_written(tmp_path):
    points = made_points(FEW, seeds=1, rounds=2)
    save_points(tmp_path / "run.json", points)
    assert load_points(tmp_path / "run.json") == points


def test_the_table_shows_what_the_runs_reach(result):
    header, *lines = table_lines(result.table())
    assert header == ["strategy", "at 0", "at 10", "at 20", "mean over the curve"]
    assert [len(line) for line in lines] == [5, 5]


def test_a_result_of_an_earlier_version_is_refused_and_not_listed(tmp_path, result):
    old = tmp_path / "old"
    old.mkdir()
    content = {"name": "x", "key": "y", "created_at": "2026-01-01", "plan": {}, "data": {}}
    (old / "result.json").write_text(json.dumps({**content, "points": []}))
    with pytest.raises(InvalidResult, match=r"earlier version.*alworkbench simulate"):
        load_result(old)
    assert load_results(tmp_path) == [result]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(format=99), "format 99"),
        (lambda c: c.pop("key"), "key"),
        (lambda c: c.update(points=[]), "no points"),
        (lambda c: c.update(created_at=7), "TypeError"),
        (lambda c: c["points"][0].update(accuracy="high"), "accuracy"),
        (lambda c: c["points"][0].update(accuracy=float("nan")), "accuracy"),
        (lambda c: c["points"][0].update(seed=-1), "-1"),
        (lambda c: c["points"][0].update(images=[1]), "images"),
        (lambda c: c["points"][0].pop("arm"), "arm"),
        (lambda c: c["points"].append(3), "a point has no"),
        (lambda c: c["points"][0].update(labels=99), "learned from more"),
        (lambda c: c["points"][2].update(paid=0), "learned from more"),
    ],
)
def test_a_damaged_result_is_refused_with_what_was_found(result, change, told):
    path = result.folder / "result.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidResult, match=told):
        load_result(result.folder)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_what_is_no_result_is_refused(tmp_path, data):
    (tmp_path / "result.json").write_bytes(data)
    with pytest.raises(InvalidResult):
        load_result(tmp_path)
    with pytest.raises(InvalidResult):
        load_points(tmp_path / "no such file")


def test_a_result_is_found_by_folder_or_by_the_beginning_of_its_key(tmp_path, result):
    other = made_result(tmp_path / "abd777", list(result.points), key="abd777")
    assert find_result(str(result.folder), []) == result
    assert find_result("abc", [tmp_path]) == result
    assert find_result("abd", [tmp_path / "none", tmp_path]) == other
    with pytest.raises(InvalidResult, match="several results begin so"):
        find_result("ab", [tmp_path])
    with pytest.raises(InvalidResult, match=r"abc123, abd777"):
        find_result("zz", [tmp_path])
