"""Published factor folders: exports can be imported, and nothing in a folder is executed."""

import io
import json
import math
import os
import pickle
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from alworkbench.core.errors import EncoderMismatch, InvalidPosteriorFile, NotPositiveDefinite
from alworkbench.posterior.evidence import maximise_evidence
from alworkbench.posterior.kronecker import best_prior_precision
from alworkbench.posterior.published import (
    PAIRS,
    PRIORS,
    TOLERANCE,
    WEIGHT,
    export_factors,
    import_factors,
)
from tests.factories import normal, small_model

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FACTORS = ("A_img_analytic", "B_img_analytic", "A_txt_analytic", "B_txt_analytic")
MODEL = small_model(images=40)


@pytest.fixture
def folder(tmp_path) -> Path:
    """As others write it: factors and four numbers, nothing of ours."""
    export_factors(tmp_path, MODEL.posterior, created_at=NOW, provenance={})
    facts = json.loads((tmp_path / PRIORS).read_text())
    del facts["alworkbench"]
    (tmp_path / PRIORS).write_text(json.dumps(facts))
    return tmp_path


def change(folder: Path, name: str, change) -> None:
    path = folder / f"{name}.pt"
    torch.save(change(torch.load(path, weights_only=True)), path)


def imported(folder: Path, **options):
    return import_factors(folder, MODEL.head, "small", **options)


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_one_factor_of_another_type_fits_all_the_others(folder, name, kind):
    """The same numbers in another type are the same posterior to the bit."""
    change(folder, name, lambda values: values.half().float())
    plain = imported(folder).posterior
    change(folder, name, lambda values: values.to(kind))
    found = imported(folder).posterior
    for side in ("image", "text"):
        one, other = getattr(found, side), getattr(plain, side)
        assert one.activation_root().dtype == one.embedding_root().dtype == torch.float64
        assert torch.equal(one.activation_root(), other.activation_root())
        assert torch.equal(one.embedding_root(), other.embedding_root())


def assert_same_belief(one, other, rel: float) -> None:
    for side in ("image", "text"):
        a, b = getattr(one, side), getattr(other, side)
        phi = normal(9, 4, a.mean.shape[1])
        assert torch.allclose(a.quadratic(phi), b.quadratic(phi), rtol=rel)
        assert torch.allclose(a.embedding_covariance(), b.embedding_covariance(), rtol=1e-3)
        assert a.log_evidence() == pytest.approx(b.log_evidence(), rel=rel)
        assert best_prior_precision(a) == pytest.approx(best_prior_precision(b), rel=rel)


class TestRoundTrip:
    @pytest.mark.parametrize("weight", [1.0, 10.0])
    def test_what_is_exported_is_imported(self, tmp_path, weight):
        p = MODEL.posterior
        p = replace(p, image=p.image.with_weight(weight), text=p.text.with_prior(0.3))
        export_factors(tmp_path, p, created_at=NOW, provenance={"source": "pairs.csv"})
        found = imported(tmp_path, prior="stored", weight=None)
        assert_same_belief(found.posterior, p, rel=1e-5)
        for side in ("image", "text"):
            one, other = getattr(found.posterior, side), getattr(p, side)
            assert one.pairs == other.pairs == 40
            assert one.prior_precision == other.prior_precision
            assert one.pseudo_data_weight == other.pseudo_data_weight

    def test_exporting_twice_changes_nothing(self, tmp_path):
        export_factors(tmp_path / "one", MODEL.posterior, created_at=NOW, provenance={})
        first = imported(tmp_path / "one", prior="stored", weight=None).posterior
        export_factors(tmp_path / "two", first, created_at=NOW, provenance={})
        second = imported(tmp_path / "two", prior="stored", weight=None).posterior
        assert_same_belief(second, first, rel=1e-5)

    def test_the_number_of_pairs_does_not_change_the_posterior(self, folder):
        """The layout of others does not say n; only sums / sqrt(n) count."""
        found = imported(folder, prior="stored", weight=None).posterior
        assert found.image.pairs == PAIRS
        assert_same_belief(found, MODEL.posterior, rel=1e-5)

    def test_provenance_is_stored_beside_the_four_numbers(self, tmp_path):
        export_factors(tmp_path, MODEL.posterior, created_at=NOW, provenance={"pairs": 40})
        facts = json.loads((tmp_path / PRIORS).read_text())
        assert {"lambda_img", "n_img", "lambda_txt", "n_txt"} < set(facts)
        ours = facts["alworkbench"]
        assert (ours["encoder_id"], ours["pairs_img"]) == ("small", 40)
        assert ours["created_at"] == NOW.isoformat()
        assert ours["provenance"] == {"pairs": 40}
        assert all((tmp_path / f"{name}.pt").exists() for name in FACTORS)


class TestChoices:
    def test_the_precision_is_that_of_the_layout(self, folder):
        """(sqrt(n_img) A + sqrt(lambda_img) I) (x) (sqrt(n_img) B + sqrt(lambda_img) I)."""
        facts = json.loads((folder / PRIORS).read_text())
        a = torch.load(folder / "A_img_analytic.pt", weights_only=True).double()
        wanted = (
            math.sqrt(facts["n_img"]) * a
            + math.sqrt(facts["lambda_img"]) * torch.eye(len(a), dtype=torch.float64)
        ).inverse()
        found = imported(folder, prior="stored", weight=None).posterior.image
        assert torch.allclose(found.activation_covariance(), wanted, rtol=1e-8, atol=1e-12)

    def test_by_default_the_weight_is_ten_and_the_prior_maximises_the_evidence(self, folder):
        found = imported(folder).posterior
        assert found.image.pseudo_data_weight == found.text.pseudo_data_weight == WEIGHT == 10.0
        for side in (found.image, found.text):
            assert side.prior_precision == best_prior_precision(side)

    def test_stored_precisions_are_kept_on_request(self, folder):
        facts = json.loads((folder / PRIORS).read_text())
        found = imported(folder, prior="stored")
        assert found.posterior.image.prior_precision == facts["lambda_img"]
        assert found.posterior.text.prior_precision == facts["lambda_txt"]
        assert found.stored["image"].pseudo_data_weight == facts["n_img"]

    def test_files_without_suffix_are_read(self, folder):
        wanted = imported(folder).posterior
        for name in FACTORS:
            (folder / f"{name}.pt").rename(folder / name)
        assert_same_belief(imported(folder).posterior, wanted, rel=1e-12)


class TestRounding:
    def test_slightly_negative_eigenvalues_become_zero_and_are_reported(self, folder):
        def lower(factor):
            values, vectors = torch.linalg.eigh(factor.double())
            values[0] = -0.5 * TOLERANCE * values[-1]
            return (vectors * values) @ vectors.T

        change(folder, "B_img_analytic", lower)
        found = imported(folder)
        told = found.rounding["B_img_analytic"]
        assert told.clipped == 1
        assert told.worst == pytest.approx(0.5 * TOLERANCE, rel=1e-6)
        assert (found.posterior.image.embedding.values >= 0).all()
        assert found.rounding["B_txt_analytic"].clipped == 0

    def test_a_small_asymmetry_is_removed_and_reported(self, folder):
        skew = 1e-5 * torch.tensor([[0.0, 1.0], [-1.0, 0.0]])

        def bend(factor):
            factor[:2, :2] += factor.abs().max() * skew
            return factor

        wanted = imported(folder).posterior
        change(folder, "B_txt_analytic", bend)
        found = imported(folder)
        assert found.rounding["B_txt_analytic"].asymmetry == pytest.approx(2e-5, rel=1e-2)
        assert_same_belief(found.posterior, wanted, rel=1e-5)

    @pytest.mark.parametrize(
        ("bad", "words"),
        [
            (lambda factor: -factor, "not positive semi-definite"),
            (lambda factor: factor.triu(), "not symmetric"),
            (lambda factor: factor * math.nan, "not finite"),
        ],
    )
    def test_larger_errors_than_rounding_are_refused(self, folder, bad, words):
        change(folder, "B_img_analytic", bad)
        with pytest.raises(NotPositiveDefinite, match=f"(?s)B_img_analytic.*{words}"):
            imported(folder)


class TestRefusals:
    def test_factors_of_another_model_name_both_shapes(self, folder):
        other = small_model(image_size=9)
        with pytest.raises(EncoderMismatch, match=r"(?s)7 x 7.*5 x 9.*9 x 9"):
            import_factors(folder, other.head, "small")

    def test_an_exported_folder_names_its_encoder(self, tmp_path):
        export_factors(tmp_path, MODEL.posterior, created_at=NOW, provenance={})
        with pytest.raises(EncoderMismatch, match="another"):
            import_factors(tmp_path, MODEL.head, "another")

    @pytest.mark.parametrize("name", [f"{n}.pt" for n in FACTORS] + [PRIORS])
    def test_a_missing_file_is_named(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(InvalidPosteriorFile, match=name.removesuffix(".pt")):
            imported(folder)

    @pytest.mark.parametrize(
        "facts",
        [
            "",
            "[]",
            "{}",
            "[" * 100_000,
            '{"lambda_img": "300", "n_img": 10, "lambda_txt": 300, "n_txt": 10}',
            '{"lambda_img": -1, "n_img": 10, "lambda_txt": 300, "n_txt": 10}',
            '{"lambda_img": NaN, "n_img": 10, "lambda_txt": 300, "n_txt": 10}',
            '{"lambda_img": true, "n_img": 10, "lambda_txt": 300, "n_txt": 10}',
            '{"lambda_img": 1, "n_img": 1, "lambda_txt": 1, "n_txt": 1, "alworkbench": {"format": 2}}',
        ],
    )
    def test_invalid_numbers_are_refused(self, folder, facts):
        (folder / PRIORS).write_text(facts)
        with pytest.raises(InvalidPosteriorFile, match=PRIORS):
            imported(folder)

    @pytest.mark.parametrize(
        "content",
        [
            {"a": torch.eye(7)},
            torch.eye(7, dtype=torch.int64),
            torch.eye(7).to_sparse(),
            [1.0, 2.0],
            torch.zeros(7, 7, device="meta"),
        ],
        ids=["dict", "integers", "sparse", "list", "meta"],
    )
    def test_other_content_than_a_matrix_is_refused(self, folder, content):
        torch.save(content, folder / "A_img_analytic.pt")
        with pytest.raises(InvalidPosteriorFile, match="A_img_analytic"):
            imported(folder)

    @pytest.mark.parametrize("data", [b"", b"junk" * 100, b"PK\x03\x04" + b"\0" * 50])
    def test_junk_is_refused(self, folder, data):
        (folder / "B_txt_analytic.pt").write_bytes(data)
        with pytest.raises(InvalidPosteriorFile, match="B_txt_analytic"):
            imported(folder)

    def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(self, folder):
        path = folder / "A_img_analytic.pt"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("archive/data/0", "w", force_zip64=True) as entry,
        ):
            for _ in range(600):
                entry.write(bytes(1 << 20))
        assert path.stat().st_size < 1 << 20
        with pytest.raises(InvalidPosteriorFile, match="more than a factor needs"):
            imported(folder)


class Payload:
    """Unpickled, it would make a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("legacy", [False, True], ids=["archive", "bare pickle"])
def test_nothing_in_a_folder_is_executed(folder, tmp_path, legacy):
    target = tmp_path / "was run"
    stream = io.BytesIO()
    if legacy:
        pickle.dump(Payload(target), stream)
    else:
        torch.save({"factor": Payload(target)}, stream)
    for name in FACTORS:
        (folder / f"{name}.pt").write_bytes(stream.getvalue())
    with pytest.raises(InvalidPosteriorFile, match="Nothing was imported"):
        imported(folder)
    assert not target.exists()
    if not legacy:  # it is a payload indeed
        torch.load(io.BytesIO(stream.getvalue()), weights_only=False)
        assert target.exists()


@pytest.mark.skipif(
    "ALWORKBENCH_PUBLISHED_FACTORS" not in os.environ,
    reason="ALWORKBENCH_PUBLISHED_FACTORS names no folder with the published ViT-B/32 factors",
)
@pytest.mark.parametrize(
    ("short", "square", "best"), [("img", 63.66, 3913.3), ("txt", 42.12, 4180.8)]
)
def test_the_evidence_of_the_published_factors_is_maximal_where_it_was_found(short, square, best):
    """CLIP ViT-B/32 at pseudo-data weight 10; |W|^2 is given, so the model is not needed."""
    from alworkbench.posterior.kronecker import decompose

    folder = Path(os.environ["ALWORKBENCH_PUBLISHED_FACTORS"])
    values = []
    for letter in "AB":
        path = folder / f"{letter}_{short}_analytic.pt"
        path = path if path.exists() else path.with_suffix("")
        factor = torch.load(path, map_location="cpu", weights_only=True)
        spectrum = decompose(factor, path.name, TOLERANCE).spectrum
        values.append(math.sqrt(WEIGHT) * spectrum.values)
    # |W|^2 is known to four digits, which is what is left of the maximum.
    assert maximise_evidence(*values, square) == pytest.approx(best, rel=5e-4)
