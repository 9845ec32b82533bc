"""Features go from project to project as a folder: on a disk, or under an address, written once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from alworkbench.core.errors import (
    AlreadyPublished,
    EncoderMismatch,
    InvalidFeatureFile,
    NothingToImport,
    StoreUnreachable,
)
from alworkbench.encoders.head import Features
from alworkbench.features import feature_folder
from alworkbench.features.entry import Entry
from alworkbench.features.feature_folder import FeatureFolder
from alworkbench.features.object_store import ObjectStore
from alworkbench.features.publishing import publish
from alworkbench.features.store import FeatureStore
from tests.making_project import AUDIT, POOL, Project, closing, copied


@pytest.fixture
def source(kept_project: Project) -> FeatureStore:
    """The features of another project; only read."""
    (folder,) = (kept_project.folder / "features").iterdir()
    return FeatureStore(folder)


@pytest.fixture
def bare(tmp_path: Path, kept_project: Project) -> Project:
    """The same project without its features."""
    found = copied(kept_project, tmp_path / "bare")
    shutil.rmtree(found.folder / "features")
    return found


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An address on an object store of this machine."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = ObjectStore("s3://birds/features")
        store._files.mkdir("birds")
        yield "s3://birds/features"
    server.stop()


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def published(request: pytest.FixtureRequest, tmp_path: Path, source: FeatureStore) -> Path | str:
    """The features under each kind of address, and as the folder that they are."""
    match request.param:
        case "folder":
            return source.folder
        case "file":
            address = (tmp_path / "network disk").as_uri()
        case "memory":
            address = f"memory://{tmp_path.name}/birds"
        case _:
            address = request.getfixturevalue("bucket")
    assert publish(source, ObjectStore(address)).written == 1
    assert publish(source, ObjectStore(address)).written == 0  # an interrupted call is made again
    return address


def test_taken_features_are_those_that_were_published(published, source, bare):
    with closing(bare.open()) as workbench:
        done = workbench.features.take(published)
        assert (done.encoded, done.known, done.unusable) == (POOL + AUDIT, 0, ())
        taken, given = workbench.session.engine().table(), source.open_table()
        assert taken.hashes == given.hashes
        every = torch.arange(len(given))
        assert torch.equal(taken.gather(every).activations, given.gather(every).activations)
        again = workbench.features.take(published)
        assert (again.encoded, again.known) == (0, POOL + AUDIT)
        texts = workbench.session.engine().class_activations(workbench.classes.current())
        assert len(texts) == 4  # the prompts came along


def test_nothing_that_was_published_is_overwritten(tmp_path, source):
    target = ObjectStore(f"memory://{tmp_path.name}/once")
    publish(source, target)
    other = tmp_path / "other"
    shutil.copytree(source.folder, other)
    (shard,) = other.glob("0*")
    (shard / "DONE.json").write_text((shard / "DONE.json").read_text() + " ")
    before = target.read("00000/DONE.json")
    with pytest.raises(AlreadyPublished, match="00000 exists and holds something else"):
        publish(FeatureStore(other), target)
    assert target.read("00000/DONE.json") == before


def test_a_shard_without_its_last_file_is_not_read_and_not_overwritten(tmp_path, source, bare):
    address = f"memory://{tmp_path.name}/half"
    target = ObjectStore(address)
    publish(source, target)
    target._files.rm(f"{target._root}/00000/DONE.json")
    with closing(bare.open()) as workbench, pytest.raises(NothingToImport, match="None of the 0"):
        workbench.features.take(address)
    assert publish(source, target).written == 1  # the same files: they are kept
    target._files.rm(f"{target._root}/00000/DONE.json")
    target._files.pipe_file(f"{target._root}/00000/act.npy", b"half")
    with pytest.raises(AlreadyPublished, match=r"00000/act\.npy"):
        publish(source, target)


@pytest.mark.parametrize("name", ["act.npy", "meta.parquet"])
def test_a_damaged_shard_is_named_and_nothing_of_it_is_taken(name, tmp_path, source, bare):
    folder = tmp_path / "damaged"
    shutil.copytree(source.folder, folder)
    place = folder / "00000" / name
    data = bytearray(place.read_bytes())
    data[-3] ^= 1
    place.write_bytes(data)
    with closing(bare.open()) as workbench:
        with pytest.raises(InvalidFeatureFile, match=rf"shard 00000 of damaged is damaged: {name}"):
            workbench.features.take(folder)
        assert not len(FeatureStore(bare.folder / "features" / source.encoder().id).open_table())


def with_shard(source: FeatureStore, folder: Path, change: Callable[[Features], Features]) -> Path:
    """A copy of the folder, with a second shard of the same images."""
    shutil.copytree(source.folder, folder)
    table = source.open_table()
    rows = change(table.gather(torch.arange(len(table))))
    with FeatureStore(folder).writer() as writer:
        writer.add([Entry(content, content) for content in table.hashes], rows)
    return folder


def test_a_row_of_two_shards_is_taken_once(tmp_path, source, bare):
    twice = with_shard(source, tmp_path / "twice", lambda rows: rows)
    with closing(bare.open()) as workbench:
        done = workbench.features.take(twice)
        assert (done.encoded, done.known) == (POOL + AUDIT, 0)
        assert len(workbench.session.engine().table()) == POOL + AUDIT


def without_a_column(rows: Features) -> Features:
    return Features(rows.activations[:, 1:], rows.residuals)


def with_residuals(rows: Features) -> Features:
    return Features(rows.activations, torch.zeros(len(rows), 3))


@pytest.mark.parametrize("change", [without_a_column, with_residuals])
def test_a_shard_of_other_widths_is_named_and_not_taken(change, tmp_path, source, bare):
    other = with_shard(source, tmp_path / "other", change)
    shutil.rmtree(other / "00000")
    with closing(bare.open()) as workbench:
        with pytest.raises(InvalidFeatureFile, match=r"shard 00001 of other .* head needs"):
            workbench.features.take(other)
        assert not len(FeatureStore(bare.folder / "features" / source.encoder().id).open_table())


def test_a_row_that_cannot_be_used_is_recorded_once_and_may_be_mended(tmp_path, source, bare):
    def without_first(rows: Features) -> Features:
        return Features(rows.activations * (torch.arange(len(rows)) > 0)[:, None], rows.residuals)

    wrong = with_shard(source, tmp_path / "wrong", without_first)
    shutil.rmtree(wrong / "00000")
    kept = FeatureStore(bare.folder / "features" / source.encoder().id)
    with closing(bare.open()) as workbench:
        for taken in (POOL + AUDIT - 1, 0):
            done = workbench.features.take(wrong)
            assert (done.encoded, done.quarantined, len(done.unusable)) == (taken, 1, 1)
        assert len(list(kept.shards())) == 1
        done = workbench.features.take(source.folder)
        assert (done.encoded, done.quarantined, done.unusable) == (1, 0, ())


@pytest.mark.parametrize("name", ["encoder.json", "head.safetensors", "prompts.safetensors"])
def test_nobody_is_told_to_delete_files_of_others(name, tmp_path, source, bare):
    received = tmp_path / "received"
    shutil.copytree(source.folder, received)
    (received / name).write_bytes(b"x")
    with closing(bare.open()) as workbench, pytest.raises(InvalidFeatureFile) as problem:
        workbench.features.take(received)
    said = str(problem.value)
    assert name in said
    assert "of received is damaged" in said
    assert "Ask for a sound copy" in said
    assert "Delete" not in said


def test_a_file_that_is_too_large_is_not_copied(tmp_path, source, bare, monkeypatch):
    address = f"memory://{tmp_path.name}/large"
    publish(source, ObjectStore(address))
    monkeypatch.setattr(
        feature_folder, "LARGEST", (source.folder / "00000/meta.parquet").stat().st_size - 1
    )
    with (
        closing(bare.open()) as workbench,
        pytest.raises(InvalidFeatureFile, match=r"00000/meta\.parquet has .* bytes, and at"),
    ):
        workbench.features.take(address)


def test_features_of_another_encoder_are_refused(tmp_path, source, bare):
    folder = tmp_path / "other"
    shutil.copytree(source.folder, folder)
    description = folder / "encoder.json"
    description.write_text(description.read_text().replace(source.encoder().id, "another"))
    with closing(bare.open()) as workbench, pytest.raises(EncoderMismatch):
        workbench.features.take(folder)
    target = ObjectStore(f"memory://{tmp_path.name}/encoders")
    publish(source, target)
    with pytest.raises(EncoderMismatch):
        publish(FeatureStore(folder), target)


def test_a_store_that_does_not_answer_is_asked_four_times(tmp_path, source):
    pauses: list[float] = []
    target = ObjectStore(f"memory://{tmp_path.name}/slow", sleep=pauses.append)
    publish(source, target)

    class Slow:
        def __init__(self, failures: int) -> None:
            self.failures = failures

        def invalidate_cache(self) -> None:
            pass

        def cat_file(self, place: str) -> bytes:
            self.failures -= 1
            if self.failures >= 0:
                raise OSError("connection reset")
            return b"found"

    target._files = Slow(3)
    assert (target.read("encoder.json"), pauses) == (b"found", [0.5, 1.0, 2.0])
    target._files = Slow(4)
    with pytest.raises(
        StoreUnreachable, match=r"slow/encoder\.json cannot be read: connection reset"
    ):
        target.read("encoder.json")


def test_a_bucket_that_does_not_exist_is_named(bucket, source):
    target = ObjectStore("s3://fish/features")
    with pytest.raises(StoreUnreachable, match=r"fish/features/encoder\.json .* no such bucket"):
        publish(source, target)
    with pytest.raises(StoreUnreachable, match=r"fish/features cannot be read: .* no such bucket"):
        target.sizes()


def test_a_listing_that_fails_is_an_error_and_not_an_empty_folder(bucket, monkeypatch):
    async def fail(*_, **__):
        raise OSError("connection reset")

    target = ObjectStore(bucket, sleep=lambda _: None)
    monkeypatch.setattr(target._files, "_lsdir", fail)
    with pytest.raises(StoreUnreachable, match="features cannot be read: connection reset"):
        target.sizes()


def test_a_file_of_a_folder_is_copied_like_one_of_a_bucket(tmp_path, source):
    target = ObjectStore(source.folder.as_uri())
    target.fetch("encoder.json", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (source.folder / "encoder.json").read_bytes()
    with pytest.raises(InvalidFeatureFile, match="lacks the file absent"):
        target.fetch("absent", tmp_path / "copy")


@pytest.mark.parametrize("address", ["ftp://host/birds", "s3://name:secret@bucket/birds"])
def test_other_addresses_and_passwords_in_them_are_refused(address):
    with pytest.raises(InvalidFeatureFile) as problem, FeatureFolder.at(address):
        pass
    assert "secret" not in str(problem.value)


@pytest.mark.parametrize("id_", ["..", "../elsewhere", "/elsewhere", "a/b", ""])
def test_an_id_that_leads_out_of_the_project_is_refused(id_, tmp_path, source, bare):
    received = tmp_path / "received"
    shutil.copytree(source.folder, received)
    said = json.loads((received / "encoder.json").read_bytes())
    (received / "encoder.json").write_text(json.dumps({**said, "id": id_}))
    before = sorted(path for path in tmp_path.rglob("*") if "bare" not in path.parts)
    with closing(bare.open()) as workbench, pytest.raises(InvalidFeatureFile, match="name of a fo"):
        workbench.features.take(received)
    assert sorted(path for path in tmp_path.rglob("*") if "bare" not in path.parts) == before


def test_a_shard_without_sha256_is_refused(tmp_path, source, bare):
    received = tmp_path / "received"
    shutil.copytree(source.folder, received)
    (shard,) = received.glob("0*")
    said = json.loads((shard / "DONE.json").read_bytes())
    del said["sha256"]
    (shard / "DONE.json").write_text(json.dumps(said))
    with closing(bare.open()) as workbench, pytest.raises(InvalidFeatureFile, match="no SHA-256"):
        workbench.features.take(received)
    with pytest.raises(InvalidFeatureFile, match="without SHA-256"):
        publish(FeatureStore(received), ObjectStore(f"memory://{tmp_path.name}/older"))
