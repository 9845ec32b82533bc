"""What other programs write is read by their own fields, or refused with its place. Nothing is trusted."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from alworkbench.core.domain import AnswerKind, Role
from alworkbench.core.errors import InvalidLabelFile
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping
from alworkbench.inputs.label_formats.reading import read_history, read_labels
from tests.inputs.exchanged import picture


def written(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value)
    path.write_text(text, encoding="utf-8")
    return path


def shard(path: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size, header.type, header.linkname = len(data), kind, "/etc/passwd"
            tar.addfile(header, io.BytesIO(data))
    return path


def said(path: Path, mapping: ColumnMapping = OUR_OWN) -> list[tuple[str, str, str, Role | None]]:
    return [(row.image, row.hash, row.label, row.role) for row in read_labels(path, mapping)]


def test_a_tree_of_class_folders_gives_classes_and_splits(tmp_path: Path) -> None:
    flat = {
        name: picture(tmp_path / f"flat/{name}/1.png", n) for n, name in enumerate(("a%20b", "b"))
    }
    assert said(tmp_path / "flat") == [
        ("a%20b/1.png", flat["a%20b"], "a%20b", None),  # only names of our own exports hold bytes
        ("b/1.png", flat["b"], "b", None),
    ]
    parts = {
        part: picture(tmp_path / f"tree/{part}/owl/1.png", 9) for part in ("test", "train", "val")
    }
    roles = {"test": Role.AUDIT, "train": Role.POOL, "val": None}
    assert said(tmp_path / "tree") == [
        (f"{part}/owl/1.png", parts[part], "owl", roles[part]) for part in parts
    ]
    mapping = ColumnMapping(split_map={"train": Role.POOL, "val": Role.AUDIT, "test": Role.AUDIT})
    assert {row[3] for row in said(tmp_path / "tree", mapping)} == {Role.POOL, Role.AUDIT}
    with pytest.raises(InvalidLabelFile, match="'test' has no meaning"):
        said(tmp_path / "tree", ColumnMapping(split_map={"train": Role.POOL}))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_an_imagefolder_is_read_by_its_metadata(tmp_path: Path, suffix: str) -> None:
    contents = [picture(tmp_path / f"d/train/sub/{n}.png", n) for n in range(3)]
    rows = [(f"sub/{n}.png", ("owl", "", "coot")[n]) for n in range(3)]
    if suffix == "csv":
        text = "file_name,bird\n" + "".join(f"{name},{bird}\n" for name, bird in rows)
    else:
        text = "".join(json.dumps({"file_name": n, "bird": b}) + "\n" for n, b in rows)
    written(tmp_path / f"d/train/metadata.{suffix}", text)
    assert said(tmp_path / "d", ColumnMapping(label_column="bird")) == [
        ("sub/0.png", contents[0], "owl", Role.POOL),
        ("sub/2.png", contents[2], "coot", Role.POOL),
    ]
    with pytest.raises(InvalidLabelFile, match=r"no history|order|record"):
        list(read_history(tmp_path / "d"))


def test_coco_annotations_with_boxes_give_one_row_for_each_category(tmp_path: Path) -> None:
    path = written(
        tmp_path / "instances.json",
        {
            "images": [{"id": 7, "file_name": "a.jpg"}, {"id": "x", "file_name": "b.jpg"}],
            "categories": [{"id": 0, "name": "owl"}, {"id": 90, "name": "coot"}],
            "annotations": [
                {"image_id": 7, "category_id": 90, "bbox": [1, 2, 3, 4]},
                {"image_id": 7, "category_id": 90, "bbox": [5, 6, 7, 8]},
                {"image_id": "x", "category_id": 0},
                {"image_id": "x", "category_id": 90},
            ],
        },
    )
    assert [row[:3:2] for row in said(path)] == [
        ("a.jpg", "coot"),
        ("b.jpg", "owl"),
        ("b.jpg", "coot"),
    ]
    assert said(path, ColumnMapping(root=Path("/photos")))[0][0] == "/photos/a.jpg"
    with pytest.raises(InvalidLabelFile, match="no history"):
        list(read_history(path))


def task(url: str, *choices: str, **others: Any) -> dict[str, Any]:
    result = {"type": "choices", "from_name": "bird", "value": {"choices": list(choices)}}
    return {"id": 1, "data": {"photo": url}, "annotations": [{"result": [result], **others}]}


def test_label_studio_urls_give_paths_and_cancelled_annotations_skips(tmp_path: Path) -> None:
    urls = {
        "/data/upload/3/0a1b2c3d-my%20bird.jpg": "my bird.jpg",
        "/data/local-files/?d=photos/b%20c.jpg": "photos/b c.jpg",
        "https://host/photos/d.jpg?token=1": "/photos/d.jpg",
        "s3://bucket/photos/e%25.jpg": "/photos/e%.jpg",
        "photos/50%25.jpg": "photos/50%25.jpg",
    }
    tasks = [task(url, "owl") for url in urls]
    tasks.append(
        {"data": {"photo": "z.jpg"}, "annotations": [{"was_cancelled": True, "result": []}]}
    )
    tasks.append(
        {"data": {"photo": "none.jpg"}, "annotations": [], "predictions": [{"result": []}]}
    )
    path = written(tmp_path / "export.json", tasks)
    rows = list(read_labels(path, ColumnMapping(path_column="photo")))
    assert [row.image for row in rows] == [*urls.values(), "z.jpg"]
    assert rows[-1].kind is AnswerKind.SKIP
    assert (
        said(path, ColumnMapping(path_column="photo", root=Path("/r")))[1][0] == "/r/photos/b c.jpg"
    )


def test_a_label_studio_control_is_chosen_by_its_name(tmp_path: Path) -> None:
    both = task("a.jpg", "owl")
    other = {"type": "choices", "from_name": "light", "value": {"choices": ["dark"]}}
    both["annotations"][0]["result"].append(other)
    path = written(tmp_path / "export.json", [both])
    with pytest.raises(InvalidLabelFile, match="bird, light"):
        said(path, ColumnMapping(path_column="photo"))
    assert said(path, ColumnMapping(path_column="photo", label_column="light"))[0][2] == "dark"


def test_webdataset_classes_are_names_or_numbers_of_a_list(tmp_path: Path) -> None:
    content = picture(tmp_path / "a.png", 1)
    data = (tmp_path / "a.png").read_bytes()
    named = {
        "s/1.png": data,
        "s/1.cls": b"owl\n",
        "s/2.json": b'{"label": "coot"}',
        "s/3.txt": b"?",
    }
    path = shard(tmp_path / "named/train-0.tar", named)
    assert said(path) == [("s/1", content, "owl", Role.POOL), ("s/2", "", "coot", Role.POOL)]
    numbered = shard(tmp_path / "numbered/x.tar", {"1.cls": b"1", "1.png": data})
    with pytest.raises(InvalidLabelFile, match=r"classes.txt names 0 classes"):
        said(numbered)
    written(tmp_path / "numbered/classes.txt", "owl\ncoot\n")
    assert said(numbered.parent) == [("1", content, "coot", None)]


def test_fiftyone_labels_are_numbers_names_or_objects(tmp_path: Path) -> None:
    contents = [picture(tmp_path / f"d/data/sub/{n}.x.png", n) for n in range(4)]
    labels = {"sub/0.x": 1, "sub/1.x": "owl", "sub/2.x": {"label": 0}, "sub/3.x": None}
    written(tmp_path / "d/labels.json", {"classes": ["owl", "coot"], "labels": labels})
    assert [row[1:3] for row in said(tmp_path / "d")] == [
        (contents[0], "coot"),
        (contents[1], "owl"),
        (contents[2], "owl"),
    ]


def test_a_fiftyone_dataset_is_read_by_field_and_tags(tmp_path: Path) -> None:
    content = picture(tmp_path / "d/data/1.png", 1)
    answer = {"_cls": "Classification", "label": "owl"}
    samples = [
        {"filepath": "data/1.png", "tags": ["nice", "test"], "bird": answer},
        {"filepath": "/elsewhere/2.png", "tags": [], "bird": answer},
        {"filepath": "data/3.png", "bird": None},
    ]
    written(tmp_path / "d/samples.json", {"samples": samples})
    assert said(tmp_path / "d", ColumnMapping(label_column="bird")) == [
        ("data/1.png", content, "owl", Role.AUDIT),
        ("/elsewhere/2.png", "", "owl", None),
    ]
    assert said(tmp_path / "d") == []


COCO = {"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "owl"}]}
WRONG: dict[str, Any] = {
    "a.json": "{",
    "nan.json": '{"images": NaN}',
    "deep.json": "[" * 100_000,
    "empty.json": {},
    "ids.json": {**COCO, "images": [{"id": [1], "file_name": "a"}], "annotations": []},
    "image.json": {**COCO, "annotations": [{"image_id": {}, "category_id": 1}]},
    "category.json": {**COCO, "annotations": [{"image_id": 1, "category_id": 2}]},
    "text.json": {**COCO, "annotations": ["owl"]},
    "tasks.json": [1],
    "data.json": [{"annotations": []}],
    "two.json": [
        {"data": {"image": "a.png"}, "annotations": task("a", "owl", "coot")["annotations"]}
    ],
    "noimage.json": [task("a.png", "owl")],
    "fo/labels.json": {"labels": []},
    "fo2/labels.json": {"labels": {"a": 3}, "classes": ["owl"]},
    "fo3/labels.json": {"labels": {"a": ["owl", "coot"]}},
    "fo4/samples.json": {"samples": [{"filepath": "a", "ground_truth": {"_cls": "Detections"}}]},
    "up/metadata.jsonl": {"file_name": "../a.png", "label": "owl"},
    "root/metadata.jsonl": {"file_name": "/etc/passwd", "label": "owl"},
    "gone/metadata.jsonl": {"file_name": "a.png", "label": "owl"},
    "nolabel/metadata.jsonl": {"file_name": "a.png"},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "a.png", 1)
    path = written(tmp_path / name, WRONG[name])
    source = path.parent if "/" in name else path
    with pytest.raises(InvalidLabelFile, match="Nothing was recorded"):
        list(read_labels(source))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_shard_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(InvalidLabelFile, match="no plain file"):
        said(shard(tmp_path / "a.tar", {"a.cls": b""}, kind))


def test_a_shard_that_ends_early_or_repeats_is_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", {"a.cls": b"owl", "b.cls": b"coot" * 900})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InvalidLabelFile, match="no whole tar"):
        said(path)
    with pytest.raises(InvalidLabelFile, match="second picture"):
        said(shard(tmp_path / "b.tar", {"a.png": b"1", "a.jpg": b"2"}))


def test_options_without_a_meaning_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "d/owl/1.png", 1)
    with pytest.raises(InvalidLabelFile, match="--path-column and --root"):
        said(tmp_path / "d", ColumnMapping(path_column="file", root=tmp_path))


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "d/owl/1.png", 1)
    (tmp_path / "d/owl/2.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(InvalidLabelFile, match=r"owl/2.png cannot be read.*Nothing was recorded"):
        said(tmp_path / "d")
