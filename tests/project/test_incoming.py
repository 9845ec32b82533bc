"""Laws of imports as jobs: equal to the service, reported; uploads never meet or leave their folder."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from alworkbench.core.domain import (
    ClassList,
    JobKind,
    JobState,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.core.errors import ImagesRefused, JobCancelled, NothingToImport, WorkbenchError
from alworkbench.project.artifacts import FeaturesSummary
from alworkbench.project.import_orders import Brought, ImportOrder
from alworkbench.project.import_words import taken_words
from alworkbench.project.job_orders import perform
from alworkbench.project.uploads import free_places
from alworkbench.project.workbench import Workbench
from store import create_store
from tests.making_project import NAMES, Clock, closing, picture


def empty(folder: Path) -> Workbench:
    settings, classes = ProjectSettings("new"), ClassList(tuple(LabelClass(n) for n in NAMES))
    return Workbench(
        ProjectFolder(folder), create_store(folder, settings, classes, Clock()()), clock=Clock()
    )


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Workbench]:
    """A project without images."""
    with closing(empty(tmp_path / "fresh")) as workbench:
        yield workbench


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Class folders with five pictures, two of them the same, one broken file and one of another kind."""
    top = tmp_path / "photos"
    for k, name in enumerate(("ant", "ant", "bee", "cat")):
        picture(top / name / f"{k}.png", k)
    (top / "cat" / "copy.png").write_bytes((top / "cat" / "3.png").read_bytes())
    (top / "bee" / "broken.png").write_bytes(b"no picture")
    (top / "notes.txt").write_text("nothing")
    return top


def held(workbench: Workbench) -> dict[str, Any]:
    """Images with role and number of places, and labels, by content; and what is in quarantine."""
    with workbench.session.store.read() as reader:
        ids = {i: h for role in Role for i, h in reader.images.ids_and_hashes(role)}
        images = {h: reader.images.by_hash(h) for h in ids.values()}
        labels = [
            (ids[each.image_id], each.class_id, each.annotator) for each in reader.labels.all()
        ]
        broken = [(PurePosixPath(f.path).name, f.code) for f in reader.images.quarantined()]
    places = {
        h: (each.role, sorted(Path(p).name for p in each.paths)) for h, each in images.items()
    }
    return {"images": places, "labels": sorted(labels), "broken": sorted(broken)}


def ask(workbench: Workbench, do: str, order: ImportOrder) -> Any:
    """Run the job as the server does, and return the newest report."""
    given = {"do": do, "order": order.model_dump(mode="json")}
    perform(workbench, workbench.jobs.queue(JobKind.IMPORT, do, "ada", given))
    return workbench.incoming.reports()[0]


@pytest.mark.parametrize("options", [{}, {"pool_labels": True}, {"audit": True}])
def test_an_import_by_a_job_equals_the_service_and_its_dry_run_foretells_it(
    fresh: Workbench, source: Path, tmp_path: Path, options: dict[str, bool]
) -> None:
    order = ImportOrder(what=Brought.IMAGES, location=source, **options)
    before = held(fresh)
    foretold = ask(fresh, "check", order)
    assert held(fresh) == before
    assert (foretold.dry_run, foretold.problems, foretold.by) == (True, (), "ada")
    assert ImportOrder.model_validate_json(order.model_dump_json()) == order
    done = ask(fresh, "import", order)
    assert not done.dry_run
    assert done.unreadable == foretold.unreadable
    assert [(Path(file).name, code) for file, code, _ in done.unreadable] == [
        ("broken.png", "unidentified")
    ]
    assert "broken.png,unidentified" in done.csv
    assert any("1 .txt" in note for note in done.notes)
    with closing(empty(tmp_path / "other")) as other:
        role = Role.AUDIT if options.get("audit") else Role.POOL
        summary = other.images.add(source, role=role, pool_labels="pool_labels" in options)
        assert held(fresh) == held(other)
    assert f"{summary.new} new images" in done.words
    assert f"{summary.new} new images" in foretold.words
    assert foretold.next_order == order
    again = ask(fresh, "check", order)
    assert "the project has these images already" in again.nothing
    assert again.next_order is None
    assert fresh.jobs.newest()[0].state is JobState.DONE


def test_a_source_that_would_be_refused_is_foretold_and_the_job_says_why(
    fresh: Workbench, tmp_path: Path
) -> None:
    picture(tmp_path / "pictures" / "gnu" / "1.png", 1)
    order = ImportOrder(what=Brought.IMAGES, location=tmp_path / "pictures", pool_labels=True)
    foretold = ask(fresh, "check", order)
    assert [(each.what, each.count) for each in foretold.problems] == [("unknown classes", 1)]
    assert (foretold.nothing, foretold.next_order) == ("", None)
    with pytest.raises(WorkbenchError):
        ask(fresh, "import", order)
    job = fresh.jobs.newest()[0]
    assert (job.state, "gnu" in job.reason) == (JobState.FAILED, True)
    assert not held(fresh)["images"]


def test_a_mostly_broken_source_is_reported_with_what_is_stored(
    fresh: Workbench, tmp_path: Path
) -> None:
    picture(tmp_path / "pictures" / "1.png", 1)
    for name in ("2.png", "3.png"):
        (tmp_path / "pictures" / name).write_bytes(b"broken")
    order = ImportOrder(what=Brought.IMAGES, location=tmp_path / "pictures")
    assert ask(fresh, "check", order).dry_run
    with pytest.raises(ImagesRefused):
        ask(fresh, "import", order)
    assert len(held(fresh)["images"]) == 1
    report = fresh.incoming.reports()[0]
    assert (report.dry_run, "What succeeded is kept" in report.words) == (False, True)
    assert sorted(Path(file).name for file, _, _ in report.unreadable) == ["2.png", "3.png"]


def test_a_cancelled_import_stores_nothing_and_frees_its_kind(
    fresh: Workbench, source: Path
) -> None:
    order = ImportOrder(what=Brought.IMAGES, location=source)

    def cancel(*_: object) -> None:
        with suppress(IndexError):
            fresh.jobs.cancel(fresh.jobs.live()[0].id)

    before = held(fresh)
    with pytest.raises(JobCancelled):
        fresh.incoming.import_images(order, cancel)
    assert held(fresh) == before
    fresh.incoming.import_images(order)
    assert len(held(fresh)["images"]) == 4


def test_labels_of_a_file_by_a_job_equal_those_of_the_service(
    fresh: Workbench, source: Path, tmp_path: Path
) -> None:
    fresh.images.add(source)
    table = tmp_path / "labels.csv"
    table.write_text("file,what\nant/0.png,ant\nbee/2.png,bee\n", encoding="utf-8")
    order = ImportOrder(
        what=Brought.LABELS,
        location=table,
        annotator="ada",
        path_column="file",
        label_column="what",
        root=source,
    )
    foretold = ask(fresh, "check", order)
    assert not held(fresh)["labels"]
    done = ask(fresh, "import", order)
    assert "to record: 2" in foretold.words
    assert "Recorded 2 labels" in done.words
    assert foretold.next_order == order
    again = ask(fresh, "check", order)
    assert "the project has these labels already" in again.nothing
    assert again.next_order is None
    with closing(empty(tmp_path / "other")) as other:
        other.images.add(source)
        other.labels.import_file(table, "ada", mapping=order.mapping)
        assert held(fresh) == held(other)


def test_encoding_by_a_job_names_the_missing_model_and_keeps_a_report(workbench: Workbench) -> None:
    with pytest.raises(WorkbenchError):
        workbench.incoming.encode()
    job = workbench.jobs.newest()[0]
    assert (job.kind, job.state) == (JobKind.ENCODE, JobState.FAILED)
    assert "features" in job.reason


def test_features_taken_by_a_job_equal_those_of_the_service(
    workbench: Workbench, made: tuple[Path, Path, dict[str, str]]
) -> None:
    order = ImportOrder(what=Brought.FEATURES, location=made[1])
    foretold = workbench.incoming.check(order)
    assert "64 rows; 64 are of images" in foretold.words
    words = [
        taken_words(replace(TAKEN, encoded=n, known=n, quarantined=n), "f.npz") for n in (1, 2)
    ]
    assert "features of 1 image from f.npz" in words[0]
    assert "1 image had features already; 1 was unreadable" in words[0]
    assert "2 images had features already; 2 were unreadable" in words[1]
    done = workbench.incoming.take_features(order)
    assert asdict(done) | {"seconds": 0} == asdict(workbench.features.take(str(made[1]))) | {
        "seconds": 0
    }
    assert [each.dry_run for each in workbench.incoming.reports()] == [False, True]


def test_a_look_says_why_an_import_would_change_nothing(
    fresh: Workbench, source: Path, made: tuple[Path, Path, dict[str, str]], tmp_path: Path
) -> None:
    features = ask(fresh, "check", ImportOrder(what=Brought.FEATURES, location=made[1]))
    assert "Import its images first" in features.nothing
    assert features.next_order is None
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "1.png").write_bytes(b"broken")
    found = ask(fresh, "check", ImportOrder(what=Brought.IMAGES, location=broken))
    assert "no file of the source is a picture" in found.nothing
    fresh.images.add(source)
    known = sorted(source.rglob("*.png"))[0]
    copies = tmp_path / "copies"
    copies.mkdir()
    (copies / "copy.png").write_bytes(known.read_bytes())
    elsewhere = ask(fresh, "check", ImportOrder(what=Brought.IMAGES, location=copies))
    assert elsewhere.next_order is not None  # a further place of an image is stored
    place = fresh.incoming.uploads.keep(sent({"copy.png": known.read_bytes()}))
    copy = ask(fresh, "check", ImportOrder(what=Brought.IMAGES, location=place))
    assert "the project has these images already" in copy.nothing
    order = ImportOrder(what=Brought.IMAGES, location=source, pool_labels=True)
    assert ask(fresh, "check", order).next_order == order  # its labels are new


TAKEN = FeaturesSummary("e" * 64, 0, 0, 0, 0.1)


# ------------------------------------------------------------------------------------------ uploads
def sent(files: dict[str, bytes]) -> list[tuple[str, io.BytesIO]]:
    return [(name, io.BytesIO(content)) for name, content in files.items()]


def test_an_uploaded_folder_equals_the_same_folder_on_the_server(
    fresh: Workbench, source: Path, tmp_path: Path
) -> None:
    files = {
        f"photos/{each.relative_to(source).as_posix()}": each.read_bytes()
        for each in source.rglob("*")
        if each.is_file()
    }
    place = fresh.incoming.uploads.keep(sent(files))
    assert place.parent == fresh.session.folder.images
    order = ImportOrder(what=Brought.IMAGES, location=place, pool_labels=True)
    fresh.incoming.import_images(order)
    with closing(empty(tmp_path / "other")) as other:
        other.images.add(source, pool_labels=True)
        assert held(fresh) == held(other)
    assert not fresh.incoming.uploads.discard(place)
    assert place.is_dir()


def test_an_uploaded_archive_is_imported_and_then_deleted(fresh: Workbench, source: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each in source.rglob("*.png"):
            archive.write(each, each.relative_to(source))
    buffer.seek(0)
    place = fresh.incoming.uploads.keep([("photos.zip", buffer)])
    assert place.name == "photos.zip"
    buffer.seek(0)
    dropped = fresh.incoming.uploads.keep([("again.zip", buffer)])
    assert fresh.incoming.uploads.discard(dropped)
    assert not dropped.exists()
    fresh.incoming.import_images(ImportOrder(what=Brought.IMAGES, location=place))
    assert not place.exists()
    assert len(held(fresh)["images"]) == 4


def test_what_was_sent_with_an_imported_file_stays_and_a_missing_upload_deletes_nothing(
    fresh: Workbench, source: Path
) -> None:
    """A manifest among pictures is imported by its own path; afterwards the project reads the pictures."""
    pictures = {each.name: each.read_bytes() for each in sorted(source.rglob("*.png"))}
    manifest = "path,label\n" + "".join(f"{name},\n" for name in pictures)
    place = fresh.incoming.uploads.keep(sent({"manifest.csv": manifest.encode(), **pictures}))
    fresh.incoming.import_images(ImportOrder(what=Brought.IMAGES, location=place / "manifest.csv"))
    assert len(held(fresh)["images"]) == 4
    assert {each.name for each in place.iterdir()} == {"manifest.csv", *pictures}
    # What lies beside uploads, or is named like one, is never deleted.
    alike = fresh.session.folder.images / "upload-photos-0a1b2c"
    alike.mkdir()
    (alike / "1.zip").write_bytes(b"1")
    gone = fresh.incoming.uploads.keep(sent({"1.png": b"1", "2.png": b"2"}))
    shutil.rmtree(gone)
    fresh.incoming.uploads.used(alike / "1.zip")
    assert not fresh.incoming.uploads.discard(alike)
    assert not fresh.incoming.uploads.discard(gone)
    assert not fresh.incoming.uploads.discard(gone / "1.png")
    assert alike.is_dir()
    assert place.is_dir()


def test_an_upload_that_cannot_be_looked_at_stays_until_it_is_dropped(
    fresh: Workbench, source: Path
) -> None:
    place = fresh.incoming.uploads.keep(sent({"labels.csv": b"no table of labels"}))
    with pytest.raises(WorkbenchError):
        ask(fresh, "check", ImportOrder(what=Brought.LABELS, location=place))
    assert place.is_file()
    (report,) = fresh.incoming.reports()
    assert report.dry_run
    assert report.problems
    assert report.order == fresh.incoming.sent_before()
    fresh.incoming.drop(report, still=place)
    assert place.is_file()
    fresh.incoming.drop(report)
    assert not place.parent.exists()
    with pytest.raises(WorkbenchError):
        ask(fresh, "check", ImportOrder(what=Brought.LABELS, location=source / "notes.txt"))
    assert (source / "notes.txt").is_file()  # what was not sent is left alone
    assert not fresh.incoming.reports()


def test_a_refused_archive_is_deleted_with_its_report_kept(fresh: Workbench) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for n in range(3):
            archive.writestr(f"{n}.png", b"broken")
    buffer.seek(0)
    place = fresh.incoming.uploads.keep([("photos.zip", buffer)])
    with pytest.raises(ImagesRefused):
        ask(fresh, "import", ImportOrder(what=Brought.IMAGES, location=place))
    assert not place.parent.exists()
    assert len(fresh.incoming.reports()[0].unreadable) == 3


def test_a_half_upload_leaves_nothing_and_an_empty_one_is_refused(fresh: Workbench) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError("the connection was closed")

    with pytest.raises(OSError, match="closed"):
        fresh.incoming.uploads.keep([*sent({"1.png": b"1"}), ("2.png", Broken())])
    assert not list(fresh.session.folder.images.iterdir())
    with pytest.raises(NothingToImport):
        fresh.incoming.uploads.keep([])
    outside = fresh.session.folder.path.parent
    assert not fresh.incoming.uploads.discard(outside)
    assert outside.is_dir()


HARD = (
    "",
    ".",
    "..",
    "../../evil",
    "a/../b",
    "/etc/passwd",
    "c:\\x",
    "CON.png",
    "\u202egnp.exe",
    "a\x00b",
)


@settings(deadline=None)
@given(some.lists(some.one_of(some.sampled_from(HARD), some.text(max_size=300)), max_size=8))
def test_every_name_gets_a_place_of_its_own_inside_of_the_folder(names: list[str]) -> None:
    places = free_places(names)
    assert len({each.as_posix().casefold() for each in places}) == len(names)
    for place in places:
        assert not place.is_absolute()
        assert place.parts
        for part in place.parts:
            assert part not in ("", ".", "..")
            assert part.isprintable()
            assert len(part.encode()) <= 200
            assert not set(part) & set('<>:"/\\|?*')
