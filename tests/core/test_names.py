"""Names are compared as Unicode says that they are equal, and few are refused."""

from __future__ import annotations

import itertools
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.core.domain import ClassList, LabelClass, refuse_twins
from alworkbench.core.errors import InvalidClassList, UnknownClass
from alworkbench.core.names import (
    as_on_disk,
    composed,
    fault_of_given_name,
    fault_of_name,
    shown,
    tidy_name,
    twin_key,
    twin_of,
)

FORMS = ("NFC", "NFD")


@given(st.text())
def test_control_characters_and_surrogates_are_refused_and_nothing_else(name: str):
    refused = any(unicodedata.category(each) in ("Cc", "Cs") for each in name)
    assert (fault_of_name(name) is not None) == refused
    assert fault_of_name(shown(name)) is None
    assert refused or shown(name) == name


@given(st.text())
def test_a_name_is_the_same_in_every_unicode_form(name: str):
    forms = [unicodedata.normalize(form, name) for form in FORMS]
    assert len({composed(each) for each in forms}) == 1
    assert len({tidy_name(each) for each in forms}) == 1
    assert len({twin_key(each) for each in forms}) == 1
    assert twin_of(forms[0], forms) is None


@given(st.text(st.characters(categories=["L", "Zs"]), min_size=1))
def test_case_and_blanks_make_twins(name: str):
    keys = {twin_key(each) for each in (name, f" {name}\u202f", name.replace(" ", "  "))}
    assert len(keys) == 1
    assert twin_key(name.casefold()) in keys


@pytest.mark.parametrize(("disk", "asked"), list(itertools.product(FORMS, FORMS)))
def test_a_path_is_found_as_the_disk_spells_it(tmp_path: Path, disk: str, asked: str):
    real = tmp_path / unicodedata.normalize(disk, "\u00e9t\u00e9") / "\u00fc.png"
    real.parent.mkdir()
    real.touch()
    path = tmp_path / unicodedata.normalize(asked, "\u00e9t\u00e9") / "\u00fc.png"
    assert as_on_disk(path) == real
    missing = path.with_name("\u00f6.png")
    assert as_on_disk(missing) == missing


@pytest.mark.parametrize("twin", ["Barn owl", "barn  owl", "BARN\u202fOWL", " barn owl"])
def test_twins_are_refused_among_new_names_and_beside_known_ones(twin: str):
    for names, known in ((["barn owl", twin], []), ([twin], ["barn owl"])):
        with pytest.raises(InvalidClassList, match="differ only"):
            refuse_twins(names, known)
    refuse_twins(["barn owl", "barnowl", "barn owl 2", "\u0645\u06cc\u200c\u062e"])
    assert "from 'barn owl' only" in str(UnknownClass(twin, ["x", "barn owl"], "A file"))


def test_a_class_list_finds_names_in_every_form_and_takes_every_script():
    names = [
        "\u00e9t\u00e9",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001fae8",
        "\u6771\u4eac",
    ]
    classes = ClassList(tuple(LabelClass(name) for name in names))
    for name, form in itertools.product(names, FORMS):
        found = classes.with_name(unicodedata.normalize(form, name))
        assert found is not None
        assert found.name == name
    with pytest.raises(InvalidClassList, match="control character"):
        ClassList((LabelClass("a\nb"), LabelClass("c")))


@pytest.mark.parametrize("name", ["\u202eevil", "a\u2066b", "\u202aa\u202c"])
def test_an_override_in_a_given_name_is_refused(name: str):
    assert fault_of_name(name) is None
    assert "order" in str(fault_of_given_name(name))


def test_marks_and_joiners_stay_in_given_names():
    for name in ("\u0645\u06cc\u200c\u0631\u0648\u0645", "\u05d3\u200f1", "a\u200eb"):
        assert fault_of_given_name(name) is None
