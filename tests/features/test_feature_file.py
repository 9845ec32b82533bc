"""A features file is read back as written; an invalid file is refused with the reason."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.errors import InvalidFeatureFile
from alworkbench.encoders.head import Features, Head
from alworkbench.features.feature_file import FeatureFile, TrainingPairFeatures
from alworkbench.features.feature_file_io import read_feature_file, write_feature_file
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.fit_pairs import posterior_of_pairs
from alworkbench.posterior.predictive import logit_moments

N, P, Q, D, C, T, PAIRS = 5, 4, 3, 2, 2, 3, 6


def arrays(seed: int = 0) -> dict[str, Any]:
    """The least that a file must hold."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    return {
        "activations": normal(N, P),
        "projection": normal(D, P),
        "text_projection": normal(D, Q),
        "prompt_activations": normal(T, Q),
        "prompt_classes": np.array([0, 1, 1]),
        "class_names": np.array(["cat", "dog"]),
        "logit_scale": np.float32(20.0),
        "paths": np.array([f"images/{i}.png" for i in range(N)]),
    }


def everything(seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed + 1)
    return arrays(seed) | {
        "hashes": np.array([f"{i:064x}" for i in range(N)]),
        "residuals": generator.standard_normal((N, D)),
        "logit_bias": np.float64(-3.0),
        "loss": np.array("siglip"),
        "labels": np.array([0, 1, -1, 1, 0], dtype=np.int8),
        "split": np.array(["pool", "pool", "pool", "test", "test"]),
        "pair_activations": generator.standard_normal((PAIRS, P)),
        "pair_residuals": generator.standard_normal((PAIRS, D)),
        "pair_text_activations": generator.standard_normal((PAIRS, Q)),
        "encoder": np.array("my model"),
    }


def saved(tmp_path: Path, **given: Any) -> Path:
    path = tmp_path / "features.npz"
    np.savez(path, **given)
    return path


def assert_equal(found: FeatureFile, wanted: FeatureFile) -> None:
    for name in ("encoder", "class_names", "paths", "hashes", "split", "encoder_id"):
        assert getattr(found, name) == getattr(wanted, name), name
    for name in ("prompt_activations", "prompt_classes", "labels"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert one is other is None or torch.equal(one, other), name
    assert_same_features(found.features, wanted.features)
    assert (found.pairs is None) == (wanted.pairs is None)
    if found.pairs is not None and wanted.pairs is not None:
        # Pairs are computed with as a whole, so that they enter in the type of the projections.
        assert_same_features(found.pairs.images, wanted.pairs.images.to("cpu", torch.float32))
        assert torch.equal(found.pairs.texts, wanted.pairs.texts)


def assert_same_features(found: Features, wanted: Features) -> None:
    assert found.activations.dtype == wanted.activations.dtype
    assert torch.equal(found.activations, wanted.activations)
    assert (found.residuals is None) == (wanted.residuals is None)
    if found.residuals is not None and wanted.residuals is not None:
        assert torch.equal(found.residuals, wanted.residuals)


seeds = st.integers(0, 2**32 - 1)
names = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20
).filter(str.strip)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    seed=seeds,
    half=st.booleans(),
    residual=st.booleans(),
    labelled=st.booleans(),
    pairs=st.booleans(),
    scale=st.floats(1e-3, 1e3),
    texts=st.lists(names, min_size=C + N, max_size=C + N, unique=True),
)
def test_a_written_file_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    half: bool,
    residual: bool,
    labelled: bool,
    pairs: bool,
    scale: float,
    texts: list[str],
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    def features(count: int) -> Features:
        made = Features(normal(count, P), normal(count, D) if residual else None)
        return made.to("cpu", torch.float16) if half else made

    file = FeatureFile(
        encoder="some model",
        head=Head(normal(D, P), normal(D, Q), scale, -1.25, "siglip"),
        features=features(N),
        class_names=tuple(texts[:C]),
        prompt_activations=normal(T, Q),
        prompt_classes=torch.tensor([1, 0, 1]),
        paths=tuple(texts[C:]),
        labels=torch.tensor([-2, 1, -1, 0, 0]) if labelled else None,
        split=("pool", "test", "pool", "pool", "test") if labelled else None,
        pairs=TrainingPairFeatures(features(PAIRS), normal(PAIRS, Q)) if pairs else None,
        role="report" if labelled else "own",
    )
    path = tmp_path_factory.mktemp("files") / "features.npz"
    write_feature_file(path, file)
    found = read_feature_file(path)
    assert_equal(found, file)
    assert found.head.logit_scale == scale
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no half-written rest


def test_files_of_numpy_are_read(tmp_path: Path) -> None:
    given = everything()
    found = read_feature_file(saved(tmp_path, **given))
    assert found.encoder == "my model"
    assert found.spec == "features:my model"
    assert found.head.loss == "siglip"
    assert found.class_names == ("cat", "dog")
    assert found.split == ("pool", "pool", "pool", "test", "test")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, -1, 1, 0]
    logits = found.head.logits(found.features, found.class_activations)
    images = given["activations"] @ given["projection"].T + given["residuals"]
    texts = given["prompt_activations"] @ given["text_projection"].T
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    classes = np.stack([texts[0], texts[1:].mean(axis=0)])
    classes /= np.linalg.norm(classes, axis=1, keepdims=True)
    np.testing.assert_allclose(logits.numpy(), 20 * images @ classes.T - 3, rtol=1e-4, atol=1e-4)


def test_a_minimal_file_has_defaults(tmp_path: Path) -> None:
    found = read_feature_file(saved(tmp_path, **arrays()))
    assert found.encoder == "features"
    assert (found.head.loss, found.head.logit_bias) == ("infonce", 0.0)
    assert found.labels is found.split is found.pairs is found.hashes is None


FLOATS = [name for name, value in everything().items() if value.dtype.kind == "f"]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_arrays_may_have_different_number_types(tmp_path: Path, name: str, kind: str) -> None:
    """The same numbers in another type give identical float32 results."""
    rounded = everything()[name].astype(np.float16)
    found, plain = (
        read_feature_file(saved(tmp_path, **(everything() | {name: rounded.astype(each)})))
        for each in (kind, "float32")
    )
    for one, other in zip(computed(found), computed(plain), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)


def computed(file: FeatureFile) -> list[torch.Tensor]:
    """What the program computes from a file: logits and their moments under the fitted posterior."""
    assert file.pairs is not None
    belief = posterior_of_pairs(file.head, file.pairs.images, file.pairs.texts, "id", batch=PAIRS)
    table = FeatureTable.from_features([str(i) for i in range(N)], file.features)
    features, classes = table.gather(torch.arange(N)), file.class_activations
    moments = logit_moments(file.head, belief, features, classes)
    return [file.head.logits(features, classes), moments.mean, moments.variance]


@pytest.mark.parametrize("name", ["activations", "residuals", "both"])
def test_a_table_stays_in_half_precision_only_as_a_whole(tmp_path: Path, name: str) -> None:
    given = everything()
    for one in ("activations", "residuals") if name == "both" else (name,):
        given[one] = given[one].astype(np.float16)
    features = read_feature_file(saved(tmp_path, **given)).features
    kept = torch.float16 if name == "both" else torch.float32
    assert features.residuals is not None
    assert features.activations.dtype == features.residuals.dtype == kept


def test_the_encoder_id_depends_on_head_and_name(tmp_path: Path) -> None:
    def encoder_id(**change: Any) -> str:
        return read_feature_file(saved(tmp_path, **(everything() | change))).encoder_id

    base = encoder_id()
    assert base == encoder_id(activations=np.ones((N, P)))
    changes: list[dict[str, Any]] = [
        {"projection": np.ones((D, P))},
        {"text_projection": np.ones((D, Q))},
        {"logit_scale": np.float32(10.0)},
        {"logit_bias": np.float32(0.0)},
        {"loss": np.array("infonce")},
        {"encoder": np.array("another")},
    ]
    assert len({base, *(encoder_id(**change) for change in changes)}) == len(changes) + 1


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "one column missing": ({"projection": np.ones((D, P - 1))}, "projection is float64 of shape"),
    "transposed": ({"projection": np.ones((P, D))}, "projection"),
    "no rows": ({"activations": np.ones((0, P))}, "activations is float64 of shape"),
    "three dimensions": ({"activations": np.ones((N, P, 1))}, "activations"),
    "integers": ({"activations": np.ones((N, P), dtype=int)}, "activations is int64"),
    "complex": ({"activations": np.ones((N, P), dtype=complex)}, "activations is complex128"),
    "long double": ({"activations": np.ones((N, P), dtype=np.longdouble)}, "activations is"),
    "objects": ({"activations": np.array([{}] * N, dtype=object)}, "cannot be read"),
    "named fields": ({"activations": np.ones(N, dtype=[("a", "f4")])}, "cannot be read"),
    "not a number": ({"activations": np.full((N, P), np.nan)}, "not finite"),
    "infinite in float32": ({"activations": np.full((N, P), 1e300)}, "not finite"),
    "negative scale": ({"logit_scale": np.float32(-1)}, "logit_scale is -1"),
    "scale of a shape": ({"logit_scale": np.ones(1)}, "logit_scale"),
    "one class": ({"class_names": np.array(["cat"])}, "class_names"),
    "classes twice": ({"class_names": np.array(["cat", "cat"])}, "more than once"),
    "class of spaces": ({"class_names": np.array(["cat", "  "])}, "class_names"),
    "bytes as names": ({"class_names": np.array([b"cat", b"dog"])}, "class_names"),
    "a class without prompt": ({"prompt_classes": np.array([1, 1, 1])}, "class 0 .* no prompt"),
    "a prompt of no class": ({"prompt_classes": np.array([0, 1, 2])}, "0 to 2, and 0 to 1"),
    "paths twice": ({"paths": np.array(["a.png"] * N)}, "more than once"),
    "an empty path": ({"paths": np.array(["a", "b", "c", "d", ""])}, "empty text"),
    "control characters": ({"paths": np.array(["a", "b", "c", "d", "e\nf"])}, "control"),
    "half a character": ({"paths": np.array(["a", "b", "c", "d", "\ud800"])}, "control"),
    "endless paths": ({"paths": np.array(["x" * 5000 + str(i) for i in range(N)])}, "at most 4096"),
    "one path short": ({"paths": np.array(["a", "b"])}, "paths"),
    "no hash": ({"hashes": np.array([f"Z{i:063d}" for i in range(N)])}, "hexadecimal"),
    "an unknown loss": ({"loss": np.array("hinge")}, "loss is 'hinge'"),
    "a label too high": ({"labels": np.array([0, 1, 2, 0, 0])}, "-2 to 1"),
    "a test image of no class": (
        {
            "labels": np.array([0, -2, 1, -2, 0]),
            "split": np.array(["pool", "pool", "pool", "test", "test"]),
        },
        "labels is -2 .* image 3 of the test part",
    ),
    "an unknown role": ({"role": np.array("train")}, "role is 'train'"),
    "labels as numbers": ({"labels": np.zeros(N)}, "labels is float64"),
    "an unknown split": ({"split": np.array(["pool"] * 4 + ["train"])}, "split holds 'train'"),
    "half a pair": ({"pair_activations": np.ones((PAIRS, P))}, "no pair_text_activations"),
    "unequal pairs": (
        {
            "pair_activations": np.ones((PAIRS, P)),
            "pair_text_activations": np.ones((PAIRS - 1, Q)),
        },
        "pair_text_activations",
    ),
    "residuals of images alone": (
        {
            "residuals": np.ones((N, D)),
            "pair_activations": np.ones((PAIRS, P)),
            "pair_text_activations": np.ones((PAIRS, Q)),
        },
        "no pair_residuals",
    ),
    "a misspelt name": ({"label": np.zeros(N, dtype=int)}, "'label.npy'.*Did you mean 'labels'"),
    "an unprintable encoder": ({"encoder": np.array("a\x1b[2Jb")}, "encoder is"),
}


@pytest.mark.filterwarnings("ignore:.*object:UserWarning")
@pytest.mark.parametrize("case", list(HOSTILE))
def test_an_invalid_array_is_refused_with_what_is_expected(tmp_path: Path, case: str) -> None:
    change, reason = HOSTILE[case]
    with pytest.raises(InvalidFeatureFile, match=f"{reason}.*pydoc") as raised:
        read_feature_file(saved(tmp_path, **(arrays() | change)))
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("name", sorted(set(arrays()) - {"paths"}))
def test_a_missing_array_is_named(tmp_path: Path, name: str) -> None:
    given = arrays()
    del given[name]
    with pytest.raises(InvalidFeatureFile, match=f"lacks {name}"):
        read_feature_file(saved(tmp_path, **given))


def test_a_file_needs_paths_or_hashes(tmp_path: Path) -> None:
    given = arrays()
    del given["paths"]
    with pytest.raises(InvalidFeatureFile, match="needs paths or hashes"):
        read_feature_file(saved(tmp_path, **given))


def npy(shape: tuple[int, ...], held: bytes, descr: str = "<f4") -> bytes:
    """An array file whose header promises what it likes."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + held


def rezipped(tmp_path: Path, **replaced: bytes) -> Path:
    """A good file with some members' bytes exchanged."""
    good = saved(tmp_path, **arrays())
    path = tmp_path / "changed.npz"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in source.namelist():
            out.writestr(name, replaced.get(name.removesuffix(".npy"), source.read(name)))
    return path


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (npy((10**12, 4), b""), "promises 16,000,000,000,000 bytes, it holds 0"),
        (npy((N, P), bytes(4 * N * P - 1)), "promises 80 bytes, it holds 79"),
        (npy((N, P), bytes(4 * N * P + 1)), "promises 80 bytes, it holds 81"),
        (npy((-1, P), b""), "cannot be read"),
        (npy((N, P), bytes(8 * N * P), "|O"), "cannot be read"),
        (b"", "cannot be read"),
        (b"\x93NUMPY\x09\x00", "cannot be read"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31), "cannot be read"),
        (b"cos\nsystem\n(S'true'\ntR.", "cannot be read"),
    ],
)
def test_a_false_header_is_refused_before_allocating_memory(
    tmp_path: Path, member: bytes, reason: str
) -> None:
    with pytest.raises(InvalidFeatureFile, match=reason):
        read_feature_file(rezipped(tmp_path, activations=member))


def test_invalid_characters_are_refused(tmp_path: Path) -> None:
    member = npy((N,), struct.pack("<5I", *[0x110000 + i for i in range(N)]), "<U1")
    with pytest.raises(InvalidFeatureFile, match="paths"):
        read_feature_file(rezipped(tmp_path, paths=member))


def test_a_decompression_bomb_is_refused_before_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, **(arrays() | {"activations": np.zeros((250_000, P))}))
    assert path.stat().st_size < 20_000
    with pytest.raises(InvalidFeatureFile, match="unpacks to"):
        read_feature_file(path, max_bytes=1_000_000)


def damaged(kind: str, good: bytes) -> bytes:
    if kind == "truncated":
        return good[: len(good) // 2]
    if kind == "flipped":
        at = good.index(b"\x93NUMPY") + 140
        return good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
    if kind == "one array":
        stream = io.BytesIO()
        np.save(stream, np.ones(3))
        return stream.getvalue()
    return {"empty": b"", "text": b"activations: 1, 2, 3"}[kind]


@pytest.mark.parametrize("kind", ["truncated", "flipped", "one array", "empty", "text"])
def test_a_damaged_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, **arrays())
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(InvalidFeatureFile, match=r"features\.npz is not a valid features file"):
        read_feature_file(path)


def with_members(change: Callable[[zipfile.ZipFile], None], path: Path) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        change(archive)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("activations.npy", "activations more than once"),
        ("../outside.npy", "it holds '../outside.npy'"),
        ("labels", "it holds 'labels'"),
        ("payload.pkl", "it holds 'payload.pkl'"),
    ],
)
def test_unknown_members_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    path = with_members(lambda archive: archive.writestr(name, b"x"), saved(tmp_path, **arrays()))
    with pytest.raises(InvalidFeatureFile, match=reason):
        read_feature_file(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidFeatureFile, match="there is no such file"):
        read_feature_file(tmp_path / "nothing.npz")
