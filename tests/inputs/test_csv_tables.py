"""Tables are read as they were written, in every form of a spreadsheet, or refused with the line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alworkbench.inputs.csv_tables import InvalidTable, TableLimits, read_table
from alworkbench.inputs.formula_guard import harmless, unguarded

LIMITS = TableLimits(bytes=1 << 20, rows=100)
texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="=+-@'\"\t,;"), max_size=8
)
names = st.text("ab1-;, é", min_size=1, max_size=6)
FILES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rows_of(path: Path) -> list[dict[str, str]]:
    return [row.fields for row in read_table(path, ("image", "label"), LIMITS)]


def read_or_refused(path: Path) -> tuple[list[dict[str, str]], str | None]:
    """The rows, or no rows and why not."""
    try:
        return rows_of(path), None
    except InvalidTable as error:
        return [], str(error)


# ------------------------------------------------------------------------------------------- the guard


@given(texts)
@example("-1")
@example("+1.5e-3")
@example("'-1")
@example("'t")
@example("''")
@example("-1+cmd()")
def test_a_guarded_text_is_read_as_it_was_and_runs_in_no_spreadsheet(text: str) -> None:
    written = harmless(text)
    assert unguarded(written) == text
    assert not written.startswith(("=", "@", "\t", "\r", "\0"))
    if written.startswith(("+", "-")):
        float(written)


@pytest.mark.parametrize("number", ["-1", "+1", "-0.5", "+2e10"])
def test_a_signed_number_needs_no_guard(number: str) -> None:
    assert harmless(number) == number


def test_what_is_no_text_needs_no_guard() -> None:
    assert [harmless(value) for value in (None, True, -3)] == [None, True, -3]


# ------------------------------------------------------------------------------------------ the forms


@FILES
@given(
    st.lists(st.tuples(texts, texts, texts), max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.integers(0, 2),
)
def test_every_form_of_a_table_gives_the_rows_that_were_written(
    tmp_path: Path,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    encoding: str,
    end: str,
    named: bool,
    empty: int,
) -> None:
    """Delimiters, encodings, ends of lines, a `sep=` line, empty columns and rows as Excel adds them."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end)
    for row in [("image", "label", "note"), *rows, ("", "", "")]:
        writer.writerow([*map(harmless, row), *[""] * empty])
    path = tmp_path / "table.csv"
    text = (f"sep={delimiter}{end}" if named else "") + stream.getvalue()
    path.write_bytes(text.encode(encoding))
    wanted = [dict(zip(("image", "label", "note"), row, strict=True)) for row in rows if any(row)]
    assert rows_of(path) == wanted


@FILES
@given(st.lists(st.tuples(names, names, names), min_size=1, max_size=4), st.data())
def test_a_stray_quotation_mark_swallows_no_row(
    tmp_path: Path, rows: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    """Wherever it stands: the file is refused, or every row is there and the other fields are the same."""
    lines = ["image\tlabel\tnote", *("\t".join(row) for row in rows)]
    line = data.draw(st.integers(1, len(rows)))
    at = data.draw(st.integers(0, len(lines[line])))
    lines[line] = f'{lines[line][:at]}"{lines[line][at:]}'
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found, refusal = read_or_refused(path)
    if refusal is not None:
        assert f"line {line + 1}" in refusal
        return
    before = [dict(zip(("image", "label", "note"), row, strict=True)) for row in rows]
    assert [row for n, row in enumerate(found, 1) if n != line] == [
        row for n, row in enumerate(before, 1) if n != line
    ]
    assert "".join(found[line - 1].values()).replace('"', "") == "".join(rows[line - 1])


@FILES
@given(st.integers(0, 6), st.integers(1, 5))
def test_a_row_with_another_number_of_fields_is_refused_with_its_line(
    tmp_path: Path, count: int, line: int
) -> None:
    rows = [["a.png", "owl", "x"]] * 5
    rows[line - 1] = ["b"] * count
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["image", "label", "note"], *rows])
    if count == 3:
        assert len(rows_of(path)) == 5
    elif count == 0:  # an empty line
        assert len(rows_of(path)) == 4
    else:
        with pytest.raises(InvalidTable, match=f"line {line + 1}: {count} fields .* 3 columns"):
            rows_of(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column image or label"),
        (b"image|label\na|b\n", "no column image or label; found .'image.label'"),
        (b"image,label,label\na,b,c\n", "label twice"),
        (b'image,label\na.png,"owl\nb.png,owl\n', "line 2"),
        (b'image,label\na.png,owl\nb.png,"owl\nc.png,owl"\n', "line 3: a field goes on"),
        (b'image,label\na.png,"owl" x\n', "line 2"),
        (b"image,label\na.png,owl\n\xff.png,owl\n", "not utf-8.*Save it as"),
        ("image,label\n".encode("utf-16-le"), "UTF-16 without a byte order mark.*Save it as"),
        ("image,label\n".encode("utf-16-be"), "UTF-16 without a byte order mark"),
        (b"image,label\na," + b"x" * 5000, "line 2: a field has 5,000 characters"),
        (b"image,label\n" + b"a,b\n" * 101, "more than 100 rows"),
        (b"image,label\n" + b"a,b\n" * (1 << 19), "bytes"),
    ],
)
def test_what_is_no_table_is_refused_with_a_remedy(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidTable, match=said) as refused:
        rows_of(path)
    assert refused.value.remedy.endswith(".")
