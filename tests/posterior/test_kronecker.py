"""Every closed form of the Kronecker posterior equals the dense form; posterior files."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from alworkbench.core.errors import EncoderMismatch, InvalidPosteriorFile, NotPositiveDefinite
from alworkbench.core.sealed_tensors import SEAL
from alworkbench.posterior.curvature import KroneckerFactors
from alworkbench.posterior.evidence import maximise_evidence
from alworkbench.posterior.kronecker import KroneckerPosterior, best_prior_precision, decompose
from alworkbench.posterior.posterior_file import load_posterior, save_posterior
from tests.factories import generator, normal, small_model

D, P = 3, 5


def posterior(prior=0.7, weight=2.0, strength=0.3) -> KroneckerPosterior:
    a, b = normal(1, 20, P), normal(2, 20, D)
    factors = KroneckerFactors(a.T @ a, b.T @ b, 20)
    found = KroneckerPosterior.from_factors(
        normal(3, D, P), factors, pseudo_data_weight=weight, prior_precision=prior
    )
    return found.tempered(strength)


def dense_precision(p: KroneckerPosterior) -> torch.Tensor:
    """A~ (x) B~ for vec(W) with W[d, p] at p * D + d (columns stacked)."""
    scale = math.sqrt(p.pseudo_data_weight / p.pairs)
    root = math.sqrt(p.prior_precision)
    a = scale * p.activation.dense() + root * torch.eye(P, dtype=torch.float64)
    b = scale * p.embedding.dense() + root * torch.eye(D, dtype=torch.float64)
    return torch.kron(a, p.strength * b)


def test_log_determinant_and_trace_are_those_of_the_dense_matrix():
    p = posterior()
    dense = dense_precision(p)
    assert p.log_determinant() == pytest.approx(float(torch.logdet(dense)), rel=1e-12)
    assert p.trace_of_covariance() == pytest.approx(float(dense.inverse().trace()), rel=1e-12)


def test_the_covariance_is_the_inverse_of_the_precision():
    p = posterior()
    dense = torch.kron(p.activation_covariance(), p.embedding_covariance())
    assert torch.allclose(dense, dense_precision(p).inverse(), rtol=1e-10, atol=1e-12)


def test_the_quadratic_form_is_the_variance_of_an_embedding():
    p = posterior()
    phi = normal(4, 6, P)
    covariance = dense_precision(p).inverse()
    for row, alpha in zip(phi, p.quadratic(phi), strict=True):
        lift = torch.kron(row[None], torch.eye(D, dtype=torch.float64))  # D, P D
        found = lift @ covariance @ lift.T
        assert torch.allclose(found, alpha * p.embedding_covariance(), rtol=1e-10, atol=1e-12)


def test_draws_have_the_stated_mean_and_covariance():
    p = posterior()
    draws = p.sample(40_000, generator(5)) - p.mean
    flat = draws.mT.reshape(len(draws), -1)  # columns stacked
    covariance = dense_precision(p).inverse()
    error = flat.T @ flat / len(flat) - covariance
    # the standard error of a covariance of Gaussians
    own = covariance.diagonal()
    allowed = 5 * ((torch.outer(own, own) + covariance**2) / len(flat)).sqrt()
    assert (error.abs() <= allowed).all()
    assert flat.mean(dim=0).abs().max() <= 5 * float(own.max().sqrt()) / math.sqrt(len(flat))


def test_the_evidence_is_the_dense_laplace_evidence():
    p = posterior(strength=1.0)
    dense = dense_precision(p)
    wanted = (
        -0.5 * p.prior_precision * float(p.mean.square().sum())
        + 0.5 * D * P * math.log(p.prior_precision)
        - 0.5 * float(torch.logdet(dense))
    )
    assert p.log_evidence() == pytest.approx(wanted, rel=1e-12)


def test_the_best_prior_precision_has_no_better_neighbour():
    p = posterior(strength=1.0)
    best = best_prior_precision(p)
    top = replace(p, prior_precision=best).log_evidence()
    grid = torch.logspace(-6, 6, 2000).tolist()
    assert all(replace(p, prior_precision=v).log_evidence() <= top + 1e-9 for v in grid)


def test_swapping_the_factors_is_another_posterior():
    """The published code's error: with rectangular factors it must show."""
    p = posterior(strength=1.0)
    swapped = P * float(p.activation_precisions.log().sum()) + D * float(
        p.embedding_precisions.log().sum()
    )
    assert abs(swapped - p.log_determinant()) > 1e-3


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (torch.full((D, D), torch.nan, dtype=torch.float64), "not finite"),
        (-torch.eye(D, dtype=torch.float64), "not positive semi-definite"),
        (torch.zeros(D, D, dtype=torch.float64), "not positive semi-definite"),
    ],
)
def test_factors_that_are_no_sum_of_squares_are_refused(factor, words):
    good = torch.eye(P, dtype=torch.float64)
    with pytest.raises(NotPositiveDefinite, match=words):
        KroneckerPosterior.from_factors(normal(1, D, P), KroneckerFactors(good, factor, 5))


def test_rounding_errors_below_zero_become_zero():
    values = torch.tensor([-1e-9, 1.0, 2.0], dtype=torch.float64)
    factors = KroneckerFactors(torch.eye(P, dtype=torch.float64), torch.diag(values), 5)
    found = KroneckerPosterior.from_factors(normal(1, D, P), factors)
    assert (found.embedding.values >= 0).all()


@pytest.mark.parametrize("count", [1, 3])
def test_removed_eigenvalues_are_reported_up_to_the_tolerance(count):
    values = torch.tensor([-1e-4] * count + [1.0, 2.0], dtype=torch.float64)
    with pytest.raises(NotPositiveDefinite):
        decompose(torch.diag(values), "embedding")
    found = decompose(torch.diag(values), "embedding", tolerance=1e-3)
    assert found.clipped == count
    assert found.worst == pytest.approx(0.5e-4)


def test_factors_of_other_sizes_are_refused_with_both_shapes():
    eye = lambda size: torch.eye(size, dtype=torch.float64)  # noqa: E731
    swapped = KroneckerFactors(eye(D), eye(P), 5)
    with pytest.raises(EncoderMismatch, match=r"projection of 5 x 3.*one with 3 x 5"):
        KroneckerPosterior.from_factors(normal(1, D, P), swapped)


def test_only_factors_are_decomposed(monkeypatch):
    p = posterior()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decomposed again")

    for name in ("eigh", "eigvalsh", "cholesky", "inv", "solve", "svd", "qr"):
        monkeypatch.setattr(torch.linalg, name, refuse)
    other = p.with_prior(3.0).with_weight(11.0).tempered(0.5)
    assert torch.allclose(other.activation_root().T @ other.activation_root(), other_covariance(p))
    for number in (other.log_determinant(), other.trace_of_covariance(), other.log_evidence()):
        assert math.isfinite(number)
    assert best_prior_precision(other) > 0
    assert other.quadratic(normal(4, 6, P)).isfinite().all()
    assert other.sample(2, generator(0)).isfinite().all()


def other_covariance(p: KroneckerPosterior) -> torch.Tensor:
    """L^T L = diag(1 / eigenvalues of A~) at prior precision 3 and weight 11."""
    values = math.sqrt(11.0 / p.pairs) * p.activation.values + math.sqrt(3.0)
    return torch.diag(values.reciprocal())


def test_a_prior_or_weight_that_is_not_positive_is_refused():
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="positive"):
            posterior().with_prior(wrong)
        with pytest.raises(ValueError, match="positive"):
            posterior().with_weight(wrong)


def test_prior_and_weight_can_be_given_later():
    later = posterior(prior=1.0, weight=1.0).with_prior(0.7).with_weight(2.0)
    assert later.log_evidence() == posterior(strength=1.0).log_evidence()
    assert torch.equal(dense_precision(later), dense_precision(posterior()))


def test_the_evidence_needs_only_eigenvalues_and_the_square_of_the_projection():
    p = posterior(weight=10.0, strength=1.0)
    scale = math.sqrt(10.0 / p.pairs)
    square = float(p.mean.square().sum())
    found = maximise_evidence(scale * p.activation.values, scale * p.embedding.values, square)
    assert found == best_prior_precision(p)


ARRAYS = (
    "mean",
    "activation_values",
    "activation_vectors",
    "embedding_values",
    "embedding_vectors",
)


def change(path, name, function) -> None:
    """Exchange one array of a posterior file."""
    with safe_open(path, framework="pt") as file:
        metadata = {key: text for key, text in file.metadata().items() if key != SEAL}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file({**tensors, name: function(tensors[name])}, path, metadata)


class TestFiles:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def test_what_is_saved_is_loaded(self, tmp_path):
        model = small_model()
        path = tmp_path / "p.safetensors"
        save_posterior(path, model.posterior, created_at=self.now, provenance={"pairs": 12})
        found = load_posterior(path, encoder_id="small")
        assert found.created_at == self.now
        assert found.provenance == {"pairs": 12}
        for side in ("image", "text"):
            one, other = getattr(model.posterior, side), getattr(found.posterior, side)
            assert one.prior_precision == other.prior_precision
            phi = normal(9, 4, one.mean.shape[1])
            assert torch.allclose(one.quadratic(phi), other.quadratic(phi), rtol=1e-5)

    @pytest.mark.parametrize("weight", [None, 1e-6, 0.1])
    def test_the_weight_that_learning_starts_from_is_kept(self, tmp_path, weight):
        path = tmp_path / "p.safetensors"
        posterior = replace(small_model().posterior, learning_weight=weight)
        save_posterior(path, posterior, created_at=self.now, provenance={})
        assert load_posterior(path).posterior.learning_weight == weight

    @pytest.mark.parametrize("weight", ["0", "-1", "inf", "nan", "much"])
    def test_a_learning_weight_that_is_no_positive_number_is_refused(self, tmp_path, weight):
        path = tmp_path / "p.safetensors"
        save_posterior(path, small_model().posterior, created_at=self.now, provenance={})
        with safe_open(path, "pt") as file:
            metadata = {**file.metadata(), "learning_weight": weight}
            del metadata[SEAL]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        save_file(tensors, path, metadata)
        with pytest.raises(InvalidPosteriorFile, match="not a readable posterior file"):
            load_posterior(path)

    @pytest.mark.parametrize("side", ["image", "text"])
    @pytest.mark.parametrize("name", ARRAYS)
    @pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
    def test_one_array_of_another_type_fits_all_the_others(self, tmp_path, side, name, kind):
        """The same numbers in another type are the same posterior to the bit."""
        path = tmp_path / "p.safetensors"
        save_posterior(path, small_model().posterior, created_at=self.now, provenance={})
        change(path, f"{side}.{name}", lambda values: values.half().float())
        wanted = getattr(load_posterior(path).posterior, side)
        change(path, f"{side}.{name}", lambda values: values.to(kind))
        found = getattr(load_posterior(path).posterior, side)
        assert found.mean.dtype == found.sample(1, generator(0)).dtype == torch.float32
        assert found.activation_root().dtype == found.embedding_root().dtype == torch.float64
        for part in ("mean", "activation_root", "embedding_root"):
            one, other = (getattr(belief, part) for belief in (found, wanted))
            assert torch.equal(one, other) if part == "mean" else torch.equal(one(), other())

    @pytest.mark.parametrize("name", ARRAYS)
    @pytest.mark.parametrize(
        "broken",
        [torch.Tensor.long, torch.Tensor.bool, lambda values: values / 0],
        ids=["integers", "booleans", "not finite"],
    )
    def test_values_that_are_no_finite_numbers_are_refused_by_name(self, tmp_path, name, broken):
        path = tmp_path / "p.safetensors"
        save_posterior(path, small_model().posterior, created_at=self.now, provenance={})
        change(path, f"image.{name}", broken)
        with pytest.raises(InvalidPosteriorFile, match=f"image.{name} holds"):
            load_posterior(path)

    def test_another_encoder_is_refused(self, tmp_path):
        path = tmp_path / "p.safetensors"
        save_posterior(path, small_model().posterior, created_at=self.now, provenance={})
        with pytest.raises(EncoderMismatch, match="other"):
            load_posterior(path, encoder_id="other")

    @pytest.mark.parametrize("data", [b"", b"junk" * 100, b"\x08\0\0\0\0\0\0\0{}      "])
    def test_other_files_are_refused(self, tmp_path, data):
        path = tmp_path / "p.safetensors"
        path.write_bytes(data)
        with pytest.raises(InvalidPosteriorFile, match="alworkbench fit"):
            load_posterior(path)
