"""Readers of image-caption pairs give equal pairs from every format, shuffled and checked."""

import io
import pickle
import random
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alworkbench.core.errors import NothingToImport, UnreadableSource
from alworkbench.inputs.pairs import Pair, open_pairs, tar
from alworkbench.inputs.pairs import source as rules
from alworkbench.inputs.pairs.shuffle import interleaved, shuffled

COUNT = 60
CAPTIONS = [f"picture {k}, said 'so'\nof class {k // 20}" for k in range(COUNT)]
CONTENT = [f"content {k}".encode() for k in range(COUNT)]


def write_csv(folder):
    path = folder / "pairs.csv"
    lines = [f'"{caption}",{k}.png' for k, caption in enumerate(CAPTIONS)]
    path.write_text("\ufeff" + "\n".join(["caption,image", *lines, "", ",none.png", "no image,"]))
    return path


def write_parquet(folder, pictures):
    path = folder / "pairs.parquet"
    images = CONTENT if pictures else [f"{k}.png" for k in range(COUNT)]
    table = pa.table({"image": [*images, None], "caption": [*CAPTIONS, "of nothing"]})
    pq.write_table(table, path, row_group_size=20)
    return path


def add(opened, name, content, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type = len(content), kind
    opened.addfile(info, io.BytesIO(content))


def write_tar(path, numbers, mode="w"):
    with tarfile.open(path, mode) as opened:
        for k in numbers:
            add(opened, f"a/{k:03}.jpg", CONTENT[k])
            add(opened, f"a/{k:03}.json", b"{}")
            add(opened, f"a/{k:03}.txt", CAPTIONS[k].encode())
    return path


def write_tars(folder):
    (folder / "tars").mkdir()
    write_tar(folder / "tars" / "0.tar", range(0, 20))
    write_tar(folder / "tars" / "1.tar.gz", range(20, 40), "w:gz")
    write_tar(folder / "tars" / "2.tar", range(40, 60))
    return folder / "tars"


FORMS = {
    "csv": write_csv,
    "paths": lambda folder: write_parquet(folder, False),
    "pictures": lambda folder: write_parquet(folder, True),
    "tars": write_tars,
    "pattern": lambda folder: write_tars(folder) / "*.tar*",
    "tar": lambda folder: write_tar(folder / "all.tar", range(COUNT)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_each_pair_once_in_an_order_fixed_by_the_seed(tmp_path, form):
    source = open_pairs(FORMS[form](tmp_path))
    found = list(source.read(3))
    assert sorted(pair.caption for pair in found) == sorted(CAPTIONS)
    for pair in found:
        k = CAPTIONS.index(pair.caption)
        place = tmp_path / f"{k}.png"
        assert pair.image == (place if form in ("csv", "paths") else CONTENT[k])
    assert found == list(source.read(3))
    assert found == list(open_pairs(source.files[0]).read(3)) or len(source.files) > 1
    assert found != list(source.read(4))
    assert len(found) <= source.count() <= len(found) + 1


@pytest.mark.parametrize("form", FORMS)
def test_batches_of_sorted_files_mix_the_classes(tmp_path, form):
    """20 random pairs of 3 classes contain every class, except for one seed in millions."""
    found = [pair.caption for pair in open_pairs(FORMS[form](tmp_path)).read(0)]
    for start in range(0, COUNT, 20):
        assert len({caption[-1] for caption in found[start : start + 20]}) == 3


@pytest.mark.parametrize(("form", "ignored"), [("csv", 2), ("paths", 1), ("pictures", 1)])
def test_incomplete_entries_are_counted(tmp_path, form, ignored):
    source = open_pairs(FORMS[form](tmp_path))
    for _ in range(2):
        assert len(list(source.read(0))) == COUNT
        assert source.ignored == ignored


def test_unusable_members_of_a_tar_file_are_left_out_and_counted(tmp_path, monkeypatch):
    for module in (rules, tar):
        monkeypatch.setattr(module, "MAX_IMAGE_BYTES", 100)
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as opened:
        add(opened, "../../etc/1.jpg", b"fine: nothing is unpacked")
        add(opened, "../../etc/1.txt", b"one")
        add(opened, "2.jpg", b"", tarfile.SYMTYPE)
        add(opened, "2.txt", b"its picture is a link")
        add(opened, "3.png", b"x" * 101)
        add(opened, "3.txt", b"its picture is too large")
        add(opened, "4.WEBP", b"picture")
        add(opened, "5.txt", b"   ")
        add(opened, "5.jpg", b"picture")
        add(opened, "6.jpg", b"first")
        add(opened, "6.png", b"second")
        add(opened, "6.txt", b"six")
        add(opened, "7.sh", b"rm -rf")
        add(opened, "dir", b"", tarfile.DIRTYPE)
    source = open_pairs(path)
    found = {(pair.image, pair.caption) for pair in source.read(0)}
    assert found == {(b"fine: nothing is unpacked", "one"), (b"first", "six")}
    # 2: link and lonely caption; 3: likewise; 4: no caption; 5: an empty one; 6: second; 7: kind
    assert source.ignored == 8
    assert [p.name for p in tmp_path.iterdir()] == ["odd.tar"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"picture,text\na,b", "no column caption or image.*found"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as image-caption pairs"),
        ("a.csv", b"image,caption\na,\xff", "cannot be read as image-caption pairs"),
        ("a.csv", b"image,caption\na," + b"b" * (1 << 21), "a line has more than"),
        ("a.parquet", b"PAR1 and then nothing", "cannot be read as image-caption pairs"),
        ("a.tar", b"no tar at all" * 100, "cannot be read as image-caption pairs"),
        ("a.tar.gz", b"\x1f\x8b no gzip", "cannot be read as image-caption pairs"),
    ],
)
def test_an_unreadable_file_is_refused_with_its_name(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableSource, match=words):
        open_pairs(path).count()


def test_a_truncated_tar_file_is_refused(tmp_path):
    path = write_tar(tmp_path / "cut.tar", range(COUNT))
    path.write_bytes(path.read_bytes()[: 40 * 512 + 100])
    with pytest.raises(UnreadableSource, match=r"cut\.tar"):
        list(open_pairs(path).read(0))


def test_a_header_that_claims_gigabytes_is_refused_before_reading(tmp_path):
    path = tmp_path / "header.tar"
    with tarfile.open(path, "w") as opened:
        add(opened, "1.jpg", b"x")
    plain = path.read_bytes()
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + plain)
    with pytest.raises(UnreadableSource, match="not plausible"):
        open_pairs(path).count()


def test_columns_of_a_wrong_type_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [1], "caption": ["a"]}), path)
    with pytest.raises(UnreadableSource, match="type int64"):
        open_pairs(path)


def test_a_missing_source_is_refused(tmp_path):
    for place in (tmp_path, tmp_path / "none.csv", tmp_path / "*.tar"):
        with pytest.raises(NothingToImport):
            open_pairs(place)


def test_several_files_must_all_be_tar_files(tmp_path):
    write_csv(tmp_path)
    write_tar(tmp_path / "a.tar", range(3))
    with pytest.raises(UnreadableSource, match=r"pairs\.csv is not a tar file"):
        open_pairs(tmp_path / "*")


def test_the_shuffle_buffer_keeps_every_pair_and_its_bounds():
    def stream():
        for k in range(100):
            made[0] = k + 1
            yield Pair(b"x" * 10, str(k))

    for most, most_bytes, held in ((7, 10**9, 8), (10**9, 50, 6)):
        made, given = [0], []
        for pair in shuffled(stream(), random.Random(0), most, most_bytes):
            assert made[0] - len(given) <= held
            given.append(pair)
        assert sorted(int(pair.caption) for pair in given) == list(range(100))


def test_several_parts_are_read_at_once():
    parts = [lambda name=name: iter([Pair(b"x", name)] * 30) for name in "abcdef"]
    found = [pair.caption for pair in interleaved(parts, random.Random(0), at_once=3)]
    assert sorted(found) == sorted("abcdef" * 30)
    assert len(set(found[:20])) == 3


@pytest.mark.parametrize("form", ["csv", "paths"])
def test_a_source_that_was_read_is_small_when_it_is_sent(tmp_path, form):
    source = open_pairs(FORMS[form](tmp_path))
    fresh = len(pickle.dumps(source))
    seen, ignored = list(source.read(0)), source.ignored
    assert len(pickle.dumps(source)) <= fresh + 100
    again = pickle.loads(pickle.dumps(source))
    assert (list(again.read(0)), again.ignored) == (seen, ignored)
