"""Names of class folders: safe, different on every disk, and read back as the class."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from alworkbench.core.names import fault_of_name, tidy_name
from alworkbench.inputs.label_formats.class_folder_names import (
    class_of_folder,
    cut_names,
    folders_of_classes,
    picture_name,
)
from tests.inputs.exchanged import NAMES, picture

SIGNS = st.one_of(
    st.sampled_from("aA./\\ :%~-=éß鷺conCON1"), st.characters(exclude_categories=("C",))
)
CLASSES = (
    st.text(SIGNS, min_size=1, max_size=200)
    .map(tidy_name)
    .filter(lambda name: bool(name) and fault_of_name(name) is None)
)
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.ASCII)


@given(st.lists(CLASSES, unique=True, max_size=12))
def test_folders_are_safe_different_and_read_back(names: list[str]) -> None:
    folders = folders_of_classes(names)
    assert list(folders) == names
    assert len({folder.casefold() for folder in folders.values()}) == len(names)
    for name, folder in folders.items():
        assert not re.search(r'[\x00-\x1f/\\:*?"<>|]', folder)
        assert folder[0] not in ". "
        assert folder[-1] not in ". "
        assert DEVICES.fullmatch(folder) is None
        assert len(folder.encode()) <= 200
        assert class_of_folder(folder, cut_names(names)) == name


def test_names_that_are_safe_stay_as_they_are() -> None:
    plain = ("owl", "Zaunkönig", "-1", "great crested grebe", "鷺", "console")
    assert folders_of_classes(plain) == {name: name for name in plain}
    folders = folders_of_classes(NAMES)
    assert (folders["a/b"], folders[".."], folders["Heron"]) == ("a%2Fb", "%2E%2E", "%48eron")


@given(CLASSES)
def test_names_of_pictures_have_one_dot_and_no_folder(stem: str) -> None:
    name = picture_name(f"photos/{stem}.JPEG", "ab" * 32, Path())
    assert re.fullmatch(r"[\w-]+-abababababababab\.jpg", name)
    assert len(name.encode()) <= 200


def test_a_picture_without_a_known_suffix_gets_that_of_its_content(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    file = (tmp_path / "a.png").rename(tmp_path / "0001")
    assert picture_name("0001", "cd" * 32, file) == "0001-cdcdcdcdcdcdcdcd.png"
