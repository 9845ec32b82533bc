"""Label files: each line is an answer, or the file is refused with the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alworkbench.core.domain import AnswerKind
from alworkbench.core.errors import InvalidLabelFile
from alworkbench.inputs.label_formats.reading import read_labels
from alworkbench.inputs.label_formats.record import LabelRow

HASH = "ab" * 32


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    """The rows as a file of the kind that its suffix names."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = [
            ",".join("" if (v := row.get(name)) is None else str(v) for name in columns)
            for row in rows
        ]
        path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_both_formats_give_the_same_answers(tmp_path: Path, name: str) -> None:
    path = written(
        tmp_path / name,
        [
            {
                "image": "a.png",
                "label": "owl",
                "hash": HASH.upper(),
                "kind": "class",
                "counts": True,
            },
            {"image": "b.png", "label": None, "hash": None, "kind": "skip", "counts": "TRUE"},
            {"image": "c.png", "label": "", "hash": "", "kind": "cannot_tell", "counts": None},
            {"image": "d.png", "label": "owl", "hash": "", "kind": "", "counts": ""},
            {"image": "e.png", "label": "", "hash": "", "kind": "", "counts": ""},
            {"image": "f.png", "label": "coot", "hash": "", "kind": "class", "counts": False},
        ],
    )
    first = 1 if name.endswith("jsonl") else 2
    assert list(read_labels(path)) == [
        LabelRow(first, "a.png", HASH, AnswerKind.CLASS, "owl"),
        LabelRow(first + 1, "b.png", "", AnswerKind.SKIP, ""),
        LabelRow(first + 2, "c.png", "", AnswerKind.CANNOT_TELL, ""),
        LabelRow(first + 3, "d.png", "", AnswerKind.CLASS, "owl"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"kind": "skip", "label": "owl"}, "the kind is skip, and the label is 'owl'"),
        ({"kind": "class", "label": ""}, "the kind is class, and there is no label"),
        (
            {"kind": "maybe", "label": "owl"},
            "'maybe' is no kind of answer.*class, skip, cannot_tell",
        ),
        ({"counts": "wahr", "label": "owl"}, "counts is 'wahr'"),
    ],
)
@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_a_row_that_contradicts_itself_is_refused(
    tmp_path: Path, row: dict[str, object], said: str, name: str
) -> None:
    path = written(tmp_path / name, [{"image": "a.png", **row}])
    with pytest.raises(InvalidLabelFile, match=rf"line \d: .*{said}"):
        list(read_labels(path))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        '"a"',
        '{"image": "a"}',
        '{"image": "a", "label": ["x"]}',
        '{"image": "a", "label": "x"} {}',
        '{"image": "a", "label": "x", "label": "y"}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_object_with_texts_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"image": "a", "label": "b"}\n\n' + line + "\n")
    with pytest.raises(InvalidLabelFile, match=r"line 3: .*Nothing was recorded"):
        list(read_labels(path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "none.jsonl"):
        with pytest.raises(InvalidLabelFile, match="CSV file with the columns"):
            list(read_labels(path))
