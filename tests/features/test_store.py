"""Features on disk: immutable shards and a table over them, equal to a table in memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import EncoderRecord, QuarantineCode, QuarantinedFile
from alworkbench.core.errors import (
    EncoderMismatch,
    FeaturesLocked,
    FeaturesMissing,
    InvalidFeatureFile,
)
from alworkbench.encoders.head import Features, Head
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.features.writer import ShardBudget

WIDTH, EMBEDDING = 6, 3


def hash_of(number: int) -> str:
    return f"{number:064x}"


def entries(numbers: range, code: QuarantineCode | None = None) -> list[Entry]:
    return [Entry(hash_of(n), f"{n}.png", 10, 20, 28, 28, code) for n in numbers]


def features(numbers: range, residuals: bool = False) -> Features:
    """Values that fp16 holds exactly (up to 255), and that tell every row and column apart."""
    act = torch.tensor([[n + c / 8 for c in range(WIDTH)] for n in numbers])
    res = torch.tensor([[-n - c / 8 for c in range(EMBEDDING)] for n in numbers])
    return Features(act, res if residuals else None)


def written(folder: Path, sizes: list[int], residuals: bool = False) -> FeatureStore:
    """A store with one shard for each size."""
    store, first = FeatureStore(folder), 0
    with store.writer() as writer:
        for size in sizes:
            numbers = range(first, first + size)
            writer.add(entries(numbers), features(numbers, residuals))
            writer.flush()
            first += size
    return store


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FeatureTable]:
    """The same 25 rows in four shards, in memory, and without residuals."""
    folder = tmp_path_factory.mktemp("features")
    numbers = range(25)
    hashes = [hash_of(n) for n in numbers]
    return {
        "disk": written(folder / "with", [7, 1, 12, 5], residuals=True).open_table(),
        "memory": FeatureTable.from_features(hashes, features(numbers, residuals=True)),
        "plain": written(folder / "without", [20, 5]).open_table(),
    }


@pytest.mark.parametrize("kind", ["disk", "memory", "plain"])
@settings(deadline=None, derandomize=True, max_examples=40)
@given(rows=st.lists(st.integers(0, 24), max_size=40), block_rows=st.integers(1, 30))
def test_concatenated_blocks_equal_the_gathered_rows(
    tables: dict[str, FeatureTable], kind: str, rows: list[int], block_rows: int
):
    table, wanted = tables[kind], torch.tensor(rows, dtype=torch.long)
    whole = table.gather(wanted)
    assert whole.activations.dtype == torch.float32
    assert torch.equal(whole.activations, features(range(25)).activations[wanted])
    assert (whole.residuals is None) == (kind == "plain")
    blocks = list(table.blocks(wanted, block_rows))
    assert all(len(rows_) <= block_rows for rows_, _ in blocks)
    if rows:
        assert torch.equal(torch.cat([rows_ for rows_, _ in blocks]), wanted)
        joined = torch.cat([block.activations for _, block in blocks])
        assert torch.equal(joined, whole.activations)
    if whole.residuals is not None and rows:
        expected = features(range(25), residuals=True).residuals
        assert expected is not None
        assert torch.equal(whole.residuals, expected[wanted])


@pytest.mark.parametrize("kind", ["disk", "memory", "plain"])
def test_every_row_is_found_by_its_hash(tables: dict[str, FeatureTable], kind: str):
    table = tables[kind]
    assert len(table) == 25
    assert table.hashes == [hash_of(n) for n in range(25)]
    assert table.rows_of([hash_of(24), hash_of(0)]).tolist() == [24, 0]
    assert table.rows_by_hash()[hash_of(7)] == 7
    assert table.has([hash_of(3), hash_of(99)]) == [True, False]
    with pytest.raises(FeaturesMissing, match="2 of 3"):
        table.rows_of([hash_of(99), hash_of(1), "zz"])
    everything = torch.cat([block.activations for _, block in table.blocks(None, 4)])
    assert torch.equal(everything, features(range(25)).activations)
    with pytest.raises(IndexError):
        table.gather(torch.tensor([25]))
    with pytest.raises(IndexError):
        table.gather(torch.tensor([-1]))


def test_scattered_rows_of_a_large_shard_are_read_by_threads(tmp_path: Path):
    rounded = features(range(2000)).activations.half().float()
    table = written(tmp_path, [2000]).open_table()
    rows = torch.randperm(2000, generator=torch.Generator().manual_seed(0))[:700]
    assert torch.equal(table.gather(rows).activations, rounded[rows])


def test_an_empty_store_has_an_empty_table(tmp_path: Path):
    store = FeatureStore(tmp_path / "none")
    table = store.open_table()
    assert len(table) == 0
    assert list(table.blocks()) == []
    assert store.settled() == set()
    assert len(table.gather(torch.zeros(0, dtype=torch.long))) == 0
    with store.writer():
        pass
    assert not list((tmp_path / "none").glob("0*"))


# ------------------------------------------------------------------------------------------ shards


def test_a_shard_without_its_last_file_is_ignored_and_overwritten(tmp_path: Path):
    store = written(tmp_path, [4, 4, 4])
    (tmp_path / "00002" / "DONE.json").unlink()
    assert store.open_table().hashes == [hash_of(n) for n in range(8)]
    assert len(store.settled()) == 8
    with store.writer() as writer:
        assert not (tmp_path / "00002").exists()
        writer.add(entries(range(20, 22)), features(range(20, 22)))
    table = store.open_table()
    assert table.hashes == [hash_of(n) for n in (*range(8), 20, 21)]
    assert (tmp_path / "00002" / "DONE.json").exists()


def test_new_shards_keep_earlier_row_numbers_and_files(tmp_path: Path):
    store = written(tmp_path, [4, 3])
    before = {path: path.read_bytes() for path in tmp_path.glob("0*/*")}
    rows = store.open_table().rows_by_hash()
    with store.writer() as writer:
        writer.add(entries(range(7, 9)), features(range(7, 9)))
    assert store.open_table().rows_by_hash().items() >= rows.items()
    assert all(path.read_bytes() == data for path, data in before.items())


def test_work_added_before_an_interruption_is_kept(tmp_path: Path):
    store = FeatureStore(tmp_path)

    def interrupted() -> None:
        with store.writer() as writer:
            writer.add(entries(range(3)), features(range(3)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(store.open_table()) == 3


def test_a_shard_ends_when_one_of_its_limits_is_reached(tmp_path: Path):
    def shards(name: str, budget: ShardBudget, seconds_each: float) -> int:
        now = 0.0
        store = FeatureStore(tmp_path / name)
        with store.writer(budget=budget, clock=lambda: now) as writer:
            for n in range(100):
                now += seconds_each
                writer.add(entries(range(n, n + 1)), features(range(n, n + 1)))
        assert len(store.open_table()) == 100
        return len(list((tmp_path / name).glob("0*")))

    assert shards("rows", ShardBudget(rows=10), 0.0) == 10
    assert shards("bytes", ShardBudget(bytes=50 * WIDTH * 2), 0.0) == 2
    assert shards("time", ShardBudget(seconds=20.0, share_of_run=0.0), 1.0) == 5
    # A share of the run instead: the n-th shard is longer than the one before.
    assert 5 < shards("share", ShardBudget(seconds=1.0, share_of_run=0.2), 1.0) < 25


def test_rows_that_are_not_finite_are_quarantined_and_others_stored(tmp_path: Path):
    batch = features(range(4))
    batch.activations[1, 2] = 1e6  # finite, but not as fp16
    batch.activations[2, 0] = float("nan")
    store = FeatureStore(tmp_path)
    with store.writer() as writer:
        recorded = writer.add(entries(range(4)), batch)
    assert [entry.code for entry in recorded] == [None, "nonfinite", "nonfinite", None]
    table = store.open_table()
    assert table.hashes == [hash_of(0), hash_of(3)]
    assert set(table.quarantined()) == {hash_of(1), hash_of(2)}
    assert torch.equal(table.gather(torch.tensor([1])).activations[0], batch.activations[3])
    with store.writer(dtype=torch.float32) as writer:
        recorded = writer.add(entries(range(1, 2)), batch[1:2])
    assert recorded[0].code is None
    table = store.open_table()  # fp16 and fp32 shards side by side
    assert float(table.gather(table.rows_of([hash_of(1)])).activations[0, 2]) == 1e6
    assert set(table.quarantined()) == {hash_of(2)}


def test_only_files_with_the_code_io_are_tried_again(tmp_path: Path):
    store = FeatureStore(tmp_path)
    with store.writer() as writer:
        writer.add(entries(range(0, 2), QuarantineCode.IO), None)
        writer.add(entries(range(2, 4), QuarantineCode.TRUNCATED), None)
    assert store.settled() == {hash_of(2), hash_of(3)}
    assert len(store.open_table()) == 0
    with store.writer() as writer:
        writer.add(entries(range(0, 1)), features(range(1)))
    assert store.settled() == {hash_of(0), hash_of(2), hash_of(3)}
    assert store.quarantined() == [
        QuarantinedFile("1.png", QuarantineCode.IO, ""),
        QuarantinedFile("2.png", QuarantineCode.TRUNCATED, ""),
        QuarantinedFile("3.png", QuarantineCode.TRUNCATED, ""),
    ]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def other_rows(path: Path) -> None:
    np.save(path, np.zeros((2, WIDTH), np.float16))
    done = json.loads((path.parent / "DONE.json").read_text())
    done["bytes"][path.name] = path.stat().st_size
    (path.parent / "DONE.json").write_text(json.dumps(done))


def pickled(path: Path) -> None:
    size = path.stat().st_size
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    data = path.read_bytes()
    path.write_bytes(data[:size] + bytes(max(0, size - len(data))))


def garbage(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("act.npy", cut),
        ("act.npy", other_rows),
        ("act.npy", pickled),
        ("act.npy", garbage),
        ("act.npy", Path.unlink),
        ("res.npy", cut),
        ("meta.parquet", cut),
        ("meta.parquet", garbage),
        ("meta.parquet", Path.unlink),
        ("DONE.json", cut),
        ("DONE.json", lambda path: path.write_text('{"format": 99}')),
        ("DONE.json", lambda path: path.write_text("[]")),
    ],
)
def test_a_damaged_shard_is_named_with_the_remedy(tmp_path: Path, name: str, damage):
    store = written(tmp_path, [3, 4, 5], residuals=True)
    damage(tmp_path / "00001" / name)
    with pytest.raises(InvalidFeatureFile, match="00001") as refused:
        store.open_table()
    assert "alworkbench encode" in str(refused.value)
    shutil.rmtree(tmp_path / "00001")  # what the message says
    assert len(store.open_table()) == 8


def test_a_file_truncated_after_opening_is_an_error_without_a_crash(tmp_path: Path):
    table = written(tmp_path, [3, 4]).open_table()
    cut(tmp_path / "00001" / "act.npy")
    with pytest.raises(InvalidFeatureFile, match="00001"):
        table.gather(torch.arange(7))
    assert len(table.gather(torch.arange(3))) == 3


def test_only_one_process_may_write(tmp_path: Path):
    store = FeatureStore(tmp_path)
    with store.writer() as writer:
        with pytest.raises(FeaturesLocked, match=r"Process [0-9]+"), store.writer():
            pass
        writer.add(entries(range(1)), features(range(1)))
    with FeatureStore(tmp_path).writer():
        pass
    assert len(store.open_table()) == 1


# --------------------------------------------------------------------------------- head and prompts


def a_head() -> Head:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(EMBEDDING, WIDTH, generator=generator)
    text = torch.randn(EMBEDDING, 5, generator=generator)
    return Head(image, text, 100.0 / 3, -12.34567890123, "siglip")


def test_the_head_is_read_back_exactly_for_its_encoder_only(tmp_path: Path):
    store, head = FeatureStore(tmp_path), a_head()
    store.describe(EncoderRecord("a", "bundled"), head, {"open_clip": "3"})
    store.describe(EncoderRecord("a", "bundled"), head, {"open_clip": "4"})
    found = store.read_head()
    assert torch.equal(found.image_projection, head.image_projection)
    assert torch.equal(found.text_projection, head.text_projection)
    assert (found.logit_scale, found.logit_bias, found.loss) == (
        100.0 / 3,
        -12.34567890123,
        "siglip",
    )
    assert store.encoder() == EncoderRecord("a", "bundled")
    with pytest.raises(EncoderMismatch):
        store.describe(EncoderRecord("b", "bundled"), head, {})


@pytest.mark.parametrize("name", ["encoder.json", "head.safetensors", "prompts.safetensors"])
@pytest.mark.parametrize("content", [b"", b"junk", b"{}", b"\xff" * 200])
def test_other_damaged_files_are_named(tmp_path: Path, name: str, content: bytes):
    store = FeatureStore(tmp_path)
    store.describe(EncoderRecord("a", "bundled"), a_head(), {})
    (tmp_path / name).write_bytes(content)
    read = {
        "encoder.json": store.encoder,
        "head.safetensors": store.read_head,
        "prompts.safetensors": lambda: store.prompt_activations(["x"]),
    }
    with pytest.raises(InvalidFeatureFile, match=name):
        read[name]()


def test_prompt_features_are_found_by_their_text(tmp_path: Path):
    store = FeatureStore(tmp_path)
    assert store.prompt_activations(["a"]) is None
    assert store.missing_prompts(["b", "a", "b"]) == ["b", "a"]
    rows = torch.arange(12.0).reshape(4, 3)
    store.add_prompts(["a", "b"], rows[:2])
    store.add_prompts(["b", "ç \n \U0001f600"], rows[2:])  # the known one keeps its row
    found = store.prompt_activations(["ç \n \U0001f600", "a", "b", "a"])
    assert found is not None
    assert torch.equal(found, rows[[3, 0, 1, 0]])
    assert store.prompt_activations(["a", "c"]) is None
    assert not list(tmp_path.glob(".*"))


@pytest.mark.gpu
def test_rows_gathered_on_a_gpu_equal_those_on_the_cpu(tables: dict[str, FeatureTable]):
    rows = torch.tensor([24, 3, 3, 11])
    for table in tables.values():
        here, there = table.gather(rows), table.gather(rows, "cuda")
        assert there.activations.is_cuda
        assert torch.equal(there.activations.cpu(), here.activations)
