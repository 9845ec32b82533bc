"""Readers of images are deterministic, complete and safe against hostile files."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import itertools
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from alworkbench.core.domain import FoundImage, QuarantineCode, QuarantinedFile
from alworkbench.core.errors import NothingToImport, UnreadableSource
from alworkbench.datasets.sample import POOL, SAMPLE, TEST, bundled_sample
from alworkbench.inputs.archives import ArchiveLimits
from alworkbench.inputs.sources import read_source


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (5, 4), shade).save(buffer, "PNG")
    return buffer.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def found_in(location: Path, **options) -> tuple[list[FoundImage], list[QuarantinedFile]]:
    everything = list(read_source(location, **options).read())
    good = [file for file in everything if isinstance(file, FoundImage)]
    return good, [file for file in everything if isinstance(file, QuarantinedFile)]


TREE = {
    "b/2.png": png(2),
    "b/10.PNG": png(3),
    "a.png": png(1),
    "b/deep/er/x.png": png(4),
    "B/1.png": png(5),
    "notes.txt": b"no image",
    ".hidden.png": png(6),
    "b/.thumbs/y.png": png(7),
    "b/broken.png": png(8)[:-30],
    "b/junk.jpg": b"junk",
}


# ------------------------------------------------------------------------------------------ folders


def test_a_folder_tree_is_read_completely_in_order_of_names(tmp_path: Path):
    put(tmp_path, TREE)
    good, bad = found_in(tmp_path)
    assert [f.path for f in good] == ["B/1.png", "a.png", "b/10.PNG", "b/2.png", "b/deep/er/x.png"]
    assert [(f.path, f.code) for f in bad] == [
        ("b/broken.png", QuarantineCode.TRUNCATED),
        ("b/junk.jpg", QuarantineCode.UNIDENTIFIED),
    ]
    assert all(f.hash == hashlib.sha256(TREE[f.path]).hexdigest() for f in good)
    assert {(f.bytes == len(TREE[f.path]), f.width, f.height) for f in good} == {(True, 5, 4)}
    source = read_source(tmp_path)
    assert (source.root, source.files) == (tmp_path, 7)
    assert source.skipped == {".txt": 1, "hidden": 2}


def test_everything_that_is_skipped_is_counted_by_suffix(tmp_path: Path):
    names = ("1.NEF", "2.nef", "logo.svg", "raw.CR2", "README", ".hidden.png", "a/3.nef")
    put(tmp_path, dict.fromkeys(names, b"x"))
    with pytest.raises(
        NothingToImport, match=r"7 other files \(3 \.nef, 1 \.cr2, 1 \.svg, 1 hidden"
    ):
        read_source(tmp_path)
    put(tmp_path, {"a/good.png": png(1)})
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    found = read_source(tmp_path)
    assert found.files == 1
    assert found.skipped == {
        ".cr2": 1,
        ".nef": 3,
        ".svg": 1,
        "hidden": 1,
        "link to a folder": 1,
        "without suffix": 1,
    }
    assert sum(found.skipped.values()) == len(names) + 1


def test_the_order_is_independent_of_workers_and_of_the_order_of_writing(tmp_path: Path):
    names = {f"{n * 37 % 101}.png": png(n) for n in range(60)}
    one, two = put(tmp_path / "one", names), put(tmp_path / "two", dict(reversed(names.items())))
    expected = list(read_source(one).read(workers=1))
    assert list(read_source(two).read(workers=3)) == expected
    assert [f.path for f in expected] == sorted(names)


def test_class_folders_give_labels_when_asked(tmp_path: Path):
    put(tmp_path, {"heron/1.png": png(1), "x/coot/2.png": png(2), "3.png": png(3)})
    good, _ = found_in(tmp_path, labelled=True)
    assert {f.path: f.class_name for f in good} == {
        "heron/1.png": "heron",
        "x/coot/2.png": "coot",
        "3.png": None,
    }
    assert {f.class_name for f in found_in(tmp_path)[0]} == {None}


def test_nothing_outside_the_tree_is_read(tmp_path: Path):
    outside = put(tmp_path / "outside", {"secret.png": png(1), "folder/2.png": png(2)})
    tree = put(tmp_path / "tree", {"in/a.png": png(3)})
    (tree / "link.png").symlink_to(outside / "secret.png")
    (tree / "linked").symlink_to(outside / "folder")
    (tree / "loop").symlink_to(tree)
    (tree / "again.png").symlink_to(tree / "in" / "a.png")
    (tree / "broken.png").symlink_to(tree / "nowhere.png")
    os.mkfifo(tree / "pipe.png")
    good, bad = found_in(tree)
    assert [f.path for f in good] == ["again.png", "in/a.png"]
    assert [f.path for f in bad] == ["broken.png", "link.png", "linked", "pipe.png"]
    assert {f.code for f in bad} == {QuarantineCode.IO}


NAMES = [
    "shot 9.00\u202fAM.png",
    "\u0645\u06cc\u200c\u062e.png",
    "\u0e01\u0e33.png",
    "a\u00a0b.png",
    "\U0001fae8.png",
]
"""A blank of macOS screenshots, a joiner of Persian, Thai, a no-break blank, a recent emoji."""


def listed(folder: Path) -> Path:
    return manifest(folder, [["path"], *([name] for name in NAMES)])


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "manifest"])
def test_real_names_of_every_script_are_read_from_every_source(tmp_path: Path, kind: str):
    files = {name: png(n) for n, name in enumerate(NAMES)}
    place = {
        "folder": lambda: put(tmp_path / "f", files),
        "zip": lambda: zipped(tmp_path / "a.zip", files),
        "tar": lambda: tarred(tmp_path / "a.tar", files, "w"),
        "manifest": lambda: listed(put(tmp_path / "f", files)),
    }[kind]()
    good, bad = found_in(place, into=tmp_path / "into")
    assert {f.path for f in good} == set(NAMES)
    assert not bad


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "manifest"])
def test_a_name_that_cannot_be_used_sets_one_file_aside(tmp_path: Path, kind: str):
    files = {"good.png": png(1), "a\x01b.png": png(2)}
    place = {
        "folder": lambda: put(tmp_path / "f", files),
        "zip": lambda: zipped(tmp_path / "a.zip", files),
        "tar": lambda: tarred(tmp_path / "a.tar", files, "w"),
        "manifest": lambda: manifest(put(tmp_path / "f", files), [["path"], *([n] for n in files)]),
    }[kind]()
    good, bad = found_in(place, into=tmp_path / "into")
    assert [f.path for f in good] == ["good.png"]
    assert [f.path for f in bad] == ["a\\x01b.png"]
    assert "control character" in bad[0].detail


FORMS = ("NFC", "NFD")


@pytest.mark.parametrize("disk", FORMS)
@pytest.mark.parametrize("asked", FORMS)
def test_a_manifest_finds_files_in_any_unicode_form(tmp_path: Path, disk: str, asked: str):
    on_disk, written = (
        unicodedata.normalize(form, "\u00e9t\u00e9/\u00fc.png") for form in (disk, asked)
    )
    put(tmp_path, {on_disk: png(1)})
    rows = [["path", "label"], [written, written[: written.index("/")]]]
    (found,), bad = found_in(manifest(tmp_path, rows))
    assert (found.path, found.class_name, bad) == (on_disk, "\u00e9t\u00e9", [])


@pytest.mark.parametrize("form", FORMS)
def test_class_folders_give_composed_names(tmp_path: Path, form: str):
    put(tmp_path, {unicodedata.normalize(form, "\u00e9t\u00e9/1.png"): png(1)})
    assert found_in(tmp_path, labelled=True)[0][0].class_name == "\u00e9t\u00e9"


def test_a_zip_of_the_finder_keeps_its_names(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"\u00e9t\u00e9/1.png": png(1)})
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        data[data.index(magic) + offset] &= ~8  # the Finder does not say that its names are UTF-8
    path.write_bytes(data)
    assert [f.path for f in found_in(path, into=tmp_path / "into")[0]] == ["1.png"]
    assert next((tmp_path / "into").glob("*/*")).name == "\u00e9t\u00e9"


def test_backslashes_in_a_zip_of_windows_separate_folders(tmp_path: Path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for n in (1, 2):
            info = zipfile.ZipInfo(f"heron\\{n}.png")
            info.create_system = 0
            archive.writestr(info, png(n))
    assert [f.path for f in found_in(path, into=tmp_path / "into")[0]] == ["1.png", "2.png"]


def test_files_with_names_that_cannot_be_stored_are_quarantined(tmp_path: Path):
    put(tmp_path, {"good.png": png(1), "new\nline.png": png(2)})
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(png(3))
    good, bad = found_in(tmp_path)
    assert [f.path for f in good] == ["good.png"]
    assert [f.path for f in bad] == ["new\\nline.png", "\\udcff.png"]


def test_progress_ends_at_the_total_and_reading_may_stop_early(tmp_path: Path):
    put(tmp_path, {f"{n}.png": png(n) for n in range(40)})
    calls: list[tuple[int, int]] = []
    files = read_source(tmp_path).read(
        progress=lambda what, done, total: calls.append((done, total))
    )
    assert len(list(files)) == 40
    assert calls == [(n, 40) for n in range(1, 41)]
    assert len(list(itertools.islice(read_source(tmp_path).read(), 3))) == 3


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("absent", UnreadableSource, "No such file"),
        ("empty", NothingToImport, "empty is empty: it holds no file.*FOLDER`"),
        ("texts", NothingToImport, r"no image, but 1 other file \(1 \.txt\)"),
        ("empty.zip", NothingToImport, r"/empty\.zip is empty: it holds no file.*new archive"),
        ("folders.zip", NothingToImport, r"/folders\.zip is empty: it holds no file"),
        (
            "texts.zip",
            NothingToImport,
            r"/texts\.zip holds no image, but 2 other files.*new archive",
        ),
        ("zero.zip", UnreadableSource, "has 0 bytes.*send it again"),
        ("page.zip", UnreadableSource, "damaged, or no zip or tar archive"),
        ("texts/a.txt", UnreadableSource, "not a folder"),
        ("images/a.png", UnreadableSource, "alworkbench import .*images`"),
    ],
)
def test_a_location_without_images_is_refused_with_what_was_found(
    tmp_path: Path, name: str, error: type[Exception], said: str
):
    put(tmp_path, {"texts/a.txt": b"x", "images/a.png": png(1)})
    (tmp_path / "empty").mkdir()
    archives = {"empty": [], "folders": ["photos/"], "texts": ["photos/a.txt", "photos/b.txt"]}
    for archive, entries in archives.items():
        with zipfile.ZipFile(tmp_path / f"{archive}.zip", "w") as opened:
            for entry in entries:
                opened.writestr(entry, "")
    put(tmp_path, {"zero.zip": b"", "page.zip": b"<html>not found</html>"})
    with pytest.raises(error, match=said):
        read_source(tmp_path / name, into=tmp_path / "unpacked")


# ---------------------------------------------------------------------------------------- manifests


def manifest(folder: Path, rows: list[list[str]], name: str = "list.csv") -> Path:
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder / name


def test_a_manifest_gives_order_label_and_split(tmp_path: Path):
    put(tmp_path, TREE)
    digest = hashlib.sha256(TREE["a.png"]).hexdigest()
    rows = [
        ["path", "split", "label", "sha256", "camera"],
        ["b/2.png", "test", 'été, "noir"', "", "x"],
        ["./a.png", "pool", "", digest.upper(), "y"],
        ["b/10.PNG", "", "heron", "0" * 64, "z"],
        ["gone.png", "", "", "", ""],
        ["b/junk.jpg", "", "", "", ""],
    ]
    good, bad = found_in(manifest(tmp_path, rows))
    assert [(f.path, f.class_name, f.split) for f in good] == [
        ("b/2.png", 'été, "noir"', "test"),
        ("a.png", None, "pool"),
    ]
    assert [(f.path, f.code) for f in bad] == [
        ("b/10.PNG", QuarantineCode.IO),
        ("gone.png", QuarantineCode.IO),
        ("b/junk.jpg", QuarantineCode.UNIDENTIFIED),
    ]


def test_a_folder_with_a_manifest_is_read_as_it_says(tmp_path: Path):
    put(tmp_path, TREE)
    manifest(tmp_path, [["path", "label"], ["a.png", "heron"]], "manifest.csv")
    assert [(f.path, f.class_name) for f in found_in(tmp_path)[0]] == [("a.png", "heron")]


def test_a_manifest_cannot_reach_outside_files_through_a_link(tmp_path: Path):
    outside = put(tmp_path / "outside", {"secret.png": png(1)})
    tree = put(tmp_path / "tree", {"a.png": png(2)})
    (tree / "door").symlink_to(outside)
    good, bad = found_in(manifest(tree, [["path"], ["door/secret.png"], ["a.png"]]))
    assert [f.path for f in good] == ["a.png"]
    assert [f.path for f in bad] == ["door/secret.png"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "columns"),
        (b"file,label\na.png,x\n", "columns"),
        (b"path,label,label\na.png,x,y\n", "columns"),
        (b"path\n/etc/passwd.png\n", "line 2: .*leaves"),
        (b"path\na.png\n../a.png\n", "line 3: .*leaves"),
        (b"path\nx/../../a.png\n", "leaves"),
        (b"path,label\na.png\n", "line 2: 1 fields"),
        (b"path,label\na.png,x,y\n", "line 2: 3 fields"),
        (b'path,label\na.png,"unclosed\n', "line"),
        (b'path,label\na.png,"x\nb.png,x"\n', "line 2: a field goes on"),
        (b'path,label\n"a.png\nb.png",x,y\n', "line 2: 3 fields"),
        (b"path,label\na.png," + b"x" * 5000 + b"\n", "characters"),
        (b"path,sha256\na.png,123\n", "SHA-256"),
        (b"path\na.png\na.png\n", "twice"),
        (b'path\n" "\n', "empty"),
    ],
)
def test_an_invalid_manifest_is_refused_as_a_whole(tmp_path: Path, content: bytes, said: str):
    put(tmp_path, {"a.png": png(1), "list.csv": content})
    with pytest.raises(UnreadableSource, match=said) as refused:
        read_source(tmp_path / "list.csv")
    assert "Nothing was imported" in str(refused.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"\xff.png,heron", "line 3 .*path is not valid UTF-8"),
        (b"b\x00.png,heron", "line 3 .*path holds a control"),
        (b"b.png,h\xe9ron", "line 3 .*label is not valid UTF-8"),
        (b"b.png," + b"x" * 300, "line 3 .*label has 300 characters"),
    ],
)
def test_one_bad_name_in_a_manifest_sets_one_row_aside(tmp_path: Path, row: bytes, said: str):
    put(tmp_path, {"a.png": png(1), "b.png": png(2), "list.csv": b"path,label\na.png,x\n" + row})
    good, bad = found_in(tmp_path / "list.csv")
    assert [f.path for f in good] == ["a.png"]
    assert re.search(said, bad[0].detail)


def test_a_manifest_without_rows_is_refused(tmp_path: Path):
    put(tmp_path, {"list.csv": b"\xef\xbb\xbfpath,label\r\n"})
    with pytest.raises(NothingToImport, match="lists no file"):
        read_source(tmp_path / "list.csv")


# ----------------------------------------------------------------------------------------- archives


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_is_read_as_the_folder_it_holds(tmp_path: Path, kind: str):
    folder = put(tmp_path / "folder", TREE)
    path = tmp_path / f"birds.{kind}"
    if kind == "zip":
        zipped(path, TREE)
    else:
        tarred(path, TREE, "w:" + kind.partition(".")[2])
    assert found_in(path, into=tmp_path / "into") == found_in(folder)
    # Once more: the same place, nothing written again.
    source = read_source(path, into=tmp_path / "into")
    before = source.root.stat().st_mtime_ns
    assert read_source(path, into=tmp_path / "into").root == source.root
    assert source.root.stat().st_mtime_ns == before
    assert len(list((tmp_path / "into").iterdir())) == 1


def test_a_single_outer_folder_is_skipped(tmp_path: Path):
    inside = {f"birds/{name}": data for name, data in TREE.items()}
    path = zipped(tmp_path / "x.zip", {**inside, "__MACOSX/birds/._a.png": b"resource"})
    good, _ = found_in(path, into=tmp_path / "into")
    assert [f.path for f in good] == [f.path for f in found_in(put(tmp_path / "f", TREE))[0]]


def zip_with(path: Path, name: str, mode: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.png", png(1))
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, "/etc/passwd")
    return path


def tar_with(path: Path, name: str, kind: bytes, target: str = "") -> Path:
    with tarfile.open(path, "w") as archive:
        good = tarfile.TarInfo("good.png")
        good.size = len(png(1))
        archive.addfile(good, io.BytesIO(png(1)))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return path


def encrypted(path: Path) -> Path:
    zipped(path, {"a.png": png(1)})
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    path.write_bytes(data)
    return path


def huge_header(path: Path) -> Path:
    """A pax header that claims 2 GiB, in a few bytes of gzip."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 2 << 30
    path.write_bytes(gzip.compress(info.tobuf() + bytes(1 << 20)))
    return path


ZEROS = bytes(3 << 20)
HOSTILE = {
    "slip.zip": lambda p: zipped(p, {"good.png": png(1), "../../evil.png": png(2)}),
    "absolute.zip": lambda p: zipped(p, {"/tmp/evil-alworkbench.png": png(2)}),
    "windows.zip": lambda p: zipped(p, {"C:/evil.png": png(2)}),
    "backslash.zip": lambda p: zipped(p, {"..\\evil.png": png(2)}),
    "link.zip": lambda p: zip_with(p, "link.png", stat.S_IFLNK | 0o777),
    "bomb.zip": lambda p: zipped(p, {"a.bmp": ZEROS}),
    "many.zip": lambda p: zipped(p, {f"{n}.png": b"" for n in range(101)}),
    "encrypted.zip": encrypted,
    "cut.zip": lambda p: p.write_bytes(zipped(p, TREE).read_bytes()[200:]) and p,
    "conflict.zip": lambda p: zipped(p, {"a": b"file", "a/b.png": png(1)}),
    "slip.tar": lambda p: tarred(p, {"good.png": png(1), "../../evil.png": png(2)}, "w"),
    "absolute.tar": lambda p: tarred(p, {"/tmp/evil-alworkbench.png": png(2)}, "w"),
    "link.tar": lambda p: tar_with(p, "link.png", tarfile.SYMTYPE, "/etc/passwd"),
    "hard.tar": lambda p: tar_with(p, "link.png", tarfile.LNKTYPE, "/etc/passwd"),
    "device.tar": lambda p: tar_with(p, "null.png", tarfile.CHRTYPE),
    "bomb.tar.gz": lambda p: tarred(p, {"a.bmp": ZEROS}),
    "many.tar": lambda p: tarred(p, {f"{n}.png": b"" for n in range(101)}, "w"),
    "header.tar.gz": huge_header,
    "cut.tar.gz": lambda p: p.write_bytes(tarred(p, TREE).read_bytes()[:-60]) and p,
    "cut.tar.bz2": lambda p: (
        p.write_bytes(bz2.compress(tarred(p, TREE, "w").read_bytes())[:-60]) and p
    ),
}
LIMITS = ArchiveLimits(entries=100, ratio=50.0, bytes_always=1 << 20)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(tmp_path: Path, name: str):
    path = HOSTILE[name](tmp_path / name)
    before = set(tmp_path.rglob("*")) | {tmp_path / "into"}
    with pytest.raises(UnreadableSource, match="No file of it was kept"):
        read_source(path, into=tmp_path / "into", limits=LIMITS)
    assert set(tmp_path.rglob("*")) - before == set()
    assert not Path("/tmp/evil-alworkbench.png").exists()


def test_a_zip_with_false_sizes_writes_no_more_than_it_declares(tmp_path: Path):
    path = zipped(tmp_path / "liar.zip", {"a.bmp": ZEROS})
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(magic) + offset
        data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UnreadableSource):
        read_source(path, into=tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_the_bundled_sample_is_read_like_any_archive(tmp_path: Path):
    good, bad = found_in(bundled_sample(), into=tmp_path)
    assert not bad
    for part in (POOL, TEST):
        counts = Counter(f.class_name for f in good if f.split == part)
        assert counts == SAMPLE.sizes[part]
