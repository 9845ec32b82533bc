"""Laws of the covariance of logits: every method agrees with one dense twin.

The twin is J_left J_right^T, where J holds the derivatives of the model's own logits by all entries of
both projections, found by automatic differentiation and whitened by the roots of the posterior.
"""

from dataclasses import dataclass

import pytest
import torch
from torch.func import jacrev

from alworkbench.encoders.head import Head
from alworkbench.posterior.covariance import LinearisedKernel
from tests.factories import normal, small_model

LEFT, RIGHT, CLASSES = torch.tensor([0, 3, 4, 7, 9]), torch.tensor([1, 3, 8]), 4


@dataclass(frozen=True)
class LinearHead:
    """A residual head over whitened activations, with a Gaussian prior on its weights."""

    variance_of_weight: float = 30.0

    def covariance(self, images, others):
        return self.variance_of_weight * images.whitened @ others.whitened.T

    def variance(self, images):
        return self.variance_of_weight * images.whitened.square().sum(dim=-1)


def jacobian(model, m, rows, head):
    """(n C) x parameters: the projections' entries, then the weights of the head of each class."""
    features = model.images[rows]

    def logits(w, v):
        moved = Head(w, v, model.head.logit_scale, model.head.logit_bias, model.head.loss)
        return moved.logits(features, model.classes)

    by_image, by_text = jacrev(logits, argnums=(0, 1))(
        model.head.image_projection, model.head.text_projection
    )
    parts = [
        m.image_embedding_root.T @ by_image @ m.image_activation_root,
        m.text_embedding_root.T @ by_text @ m.text_activation_root,
    ]
    if head is not None:
        seen = head.variance_of_weight**0.5 * features.activations @ m.image_activation_root
        parts.append(torch.einsum("ix,cd->icdx", seen, torch.eye(CLASSES, dtype=seen.dtype)))
    return torch.cat([part.reshape(len(rows) * CLASSES, -1) for part in parts], dim=1)


@dataclass(frozen=True)
class Case:
    kernel: LinearisedKernel
    twin: torch.Tensor
    """n C m C."""

    def close(self, found, wanted):
        return torch.allclose(found, wanted, rtol=0, atol=1e-10 * float(self.twin.abs().max()))


@pytest.fixture(params=["plain", "residuals", "siglip"])
def model(request):
    return small_model(
        classes=CLASSES,
        residuals=request.param != "plain",
        loss="siglip" if request.param == "siglip" else "infonce",
    )


@pytest.fixture(params=[None, LinearHead()], ids=["no head", "residual head"])
def head(request):
    return request.param


def case_of(model, head, left, right):
    m = model.linearisation()
    images = m.images(model.images[left])
    others = images if right is left else m.images(model.images[right])
    twin = jacobian(model, m, left, head) @ jacobian(model, m, right, head).T
    return Case(
        LinearisedKernel(m.classes, images, others, head),
        twin.reshape(len(left), CLASSES, len(right), CLASSES),
    )


@pytest.fixture(params=["the same images", "other images", "one image"])
def case(request, model, head):
    right = {"the same images": LEFT, "other images": RIGHT, "one image": RIGHT[:1]}
    return case_of(model, head, LEFT, right[request.param])


@pytest.fixture
def square(model, head):
    return case_of(model, head, LEFT, LEFT)


class TestAnyImages:
    def test_dense_holds_all_covariances(self, case):
        assert case.kernel.entries == case.twin[..., 0, 0].numel()
        assert case.close(case.kernel.dense(), case.twin)

    @pytest.mark.parametrize("stack", [(), (3,)])
    def test_matvec_is_a_product_with_the_dense_matrix(self, case, stack):
        weights = normal(5, *stack, *case.twin.shape[2:])
        wanted = torch.einsum("icjd,...jd->...ic", case.twin, weights)
        assert case.close(case.kernel.matvec(weights), wanted)

    def test_the_covariance_with_sides_exchanged_is_the_transpose(self, case):
        kernel = case.kernel
        turned = LinearisedKernel(kernel.classes, kernel.right, kernel.left, kernel.residual)
        assert case.close(turned.dense().permute(2, 3, 0, 1), case.twin)

    def test_single_precision_is_the_same_rounded(self, case):
        weights = normal(5, *case.twin.shape[2:])
        rounded = case.kernel.single.matvec(weights.float())
        assert rounded.dtype == torch.float32
        wanted = case.kernel.matvec(weights)
        assert torch.allclose(rounded.double(), wanted, rtol=0, atol=1e-5 * wanted.abs().max())

    def test_the_order_of_the_calls_does_not_matter(self, case):
        weights = normal(5, *case.twin.shape[2:])
        first = case.kernel.matvec(weights)
        case.kernel.dense()
        assert torch.equal(case.kernel.matvec(weights), first)


class TestTheSameImages:
    def test_diagonal_holds_the_block_of_each_image(self, square):
        wanted = torch.stack([square.twin[i, :, i] for i in range(len(LEFT))])
        assert square.close(square.kernel.diagonal(), wanted)

    def test_centred_is_the_covariance_of_logits_less_their_mean(self, square):
        centre = torch.eye(CLASSES, dtype=torch.float64) - 1 / CLASSES
        wanted = torch.einsum("ca,iajb,cb->cij", centre, square.twin, centre)
        assert square.close(square.kernel.centred(), wanted)

    def test_no_variance_is_negative(self, square):
        size = len(LEFT) * CLASSES
        values = torch.linalg.eigvalsh(square.kernel.dense().reshape(size, size))
        assert float(values[0]) > -1e-10 * float(values[-1])

    def test_other_images_have_no_diagonal(self, model, head):
        kernel = case_of(model, head, LEFT, RIGHT).kernel
        with pytest.raises(ValueError, match="same images"):
            kernel.diagonal()
        with pytest.raises(ValueError, match="same images"):
            kernel.centred()


def test_without_images_there_is_nothing(model, head):
    m = model.linearisation()
    images = m.images(model.images)
    kernel = LinearisedKernel(m.classes, images[:0], images, head)
    assert kernel.dense().shape == (0, CLASSES, 12, CLASSES)
    assert kernel.matvec(normal(1, 12, CLASSES)).shape == (0, CLASSES)
