"""The model, linearised in both projections at their values before any label.

With unit embeddings u_i (images) and t_c (classes), their cosine S_ic and the logit scale s, a small
change (dW, dV) of the projections changes a logit by

    dz_ic = (s / |g_i|) (t_c - S_ic u_i) . dW phi_i  +  (s / |h_c|) (u_i - S_ic t_c) . dV psi_c

In this model learning from labels is convex, the posterior given the labels is Gaussian, and draws are
cheap. Changes are kept in *whitened* coordinates: dW = L_B M L_A^T with A~^-1 = L_A L_A^T and
B~^-1 = L_B L_B^T, and dV likewise with M'. There the posterior is a standard normal distribution and its
penalty is |M|^2. The bias of a SigLIP model is the same for all classes and stays in the logits.

Dimensions used in this file
    N  images          C  classes         K  draws
    P  image activation size              Q  text activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.kronecker import Posterior


@dataclass(frozen=True, slots=True)
class ClassCoordinates:
    """Everything about the classes that the linearised model uses."""

    unit: Float[Tensor, "C D"]
    """t, unit text embeddings."""
    scale: Float[Tensor, "C"]
    """s / |h_c|."""
    whitened: Float[Tensor, "C Q"]
    """psi L_A', whitened text activations."""
    by_image: Float[Tensor, "C D"]
    """t L_B: seen through the image side's covariance."""
    by_text: Float[Tensor, "C D"]
    """t L_B': seen through the text side's covariance."""

    def to(self, dtype: torch.dtype) -> ClassCoordinates:
        """The same in another number type."""
        return ClassCoordinates(*(getattr(self, field.name).to(dtype) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class ImageCoordinates:
    """Everything about some images that the linearised model uses."""

    logits: Float[Tensor, "N C"]
    """z_0: logits of the model before any label."""
    cosines: Float[Tensor, "N C"]
    scale: Float[Tensor, "N"]
    """s / |g_i|."""
    whitened: Float[Tensor, "N P"]
    """phi L_A."""
    by_image: Float[Tensor, "N D"]
    """u L_B."""
    by_text: Float[Tensor, "N D"]
    """u L_B'."""

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, rows: slice | Int[Tensor, "n"]) -> ImageCoordinates:
        return ImageCoordinates(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to(self, dtype: torch.dtype) -> ImageCoordinates:
        """The same in another precision."""
        return ImageCoordinates(*(getattr(self, field.name).to(dtype) for field in fields(self)))

    def widened(self, factor: float) -> ImageCoordinates:
        """The same images in the model `Linearisation.widened(factor)`."""
        return replace(self, whitened=self.whitened * factor**0.5)


@dataclass(frozen=True, slots=True)
class WeightUpdate:
    """A change of both projections, in whitened coordinates; or K such changes, stacked.

    With a residual linear head (`adaptation.residual_head`), its weights belong to the change.
    """

    image: Float[Tensor, "*K D P"]
    text: Float[Tensor, "*K D Q"]
    residual: Float[Tensor, "*K C P"] | None = None
    """Weights of the residual head over whitened activations. None: there are none."""
    residual_embedded: Float[Tensor, "*K C D"] | None = None
    """The same over whitened unit embeddings u L_B'. At most one of the two is set."""
    offset: Float[Tensor, "*K C"] | None = None
    """Constant that the residual head adds to the logit of each class."""

    def __len__(self) -> int:
        """K, the number of stacked updates."""
        return len(self.image)

    def __getitem__(self, draws: slice) -> WeightUpdate:
        """Some of K stacked updates, as views."""
        return self.map(lambda part: part[draws])

    def map(self, function: Callable[[Tensor], Tensor]) -> WeightUpdate:
        """Apply a function to every tensor of the update."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self, **{name: function(part) for name, part in parts.items() if part is not None}
        )

    def subtract_(self, other: WeightUpdate) -> None:
        """Subtract another update with the same tensors, in place."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine is not None:
                mine -= theirs


@dataclass(frozen=True, slots=True)
class Linearisation:
    """The linearised model of one head, posterior and class list.

    It is built once per class list. The strength of the posterior (`tempered`) is the strength of the
    prior that labels update.
    """

    head: Head
    image_activation_root: Float[Tensor, "P P"]
    image_embedding_root: Float[Tensor, "D D"]
    text_activation_root: Float[Tensor, "Q Q"]
    text_embedding_root: Float[Tensor, "D D"]
    classes: ClassCoordinates
    posterior: Posterior
    """What it was built from; needed to build it again with another pseudo-data weight."""
    widening: float = 1.0
    """What the covariance of each projection was multiplied by since."""

    @classmethod
    def build(
        cls, head: Head, posterior: Posterior, classes: Float[Tensor, "C Q"]
    ) -> Linearisation:
        """Linearise about the head's projections, in the dtype and on the device of `classes`."""
        head = head.to(classes.device, classes.dtype)
        text_activation_root = posterior.text.activation_root().to(classes)
        image_embedding_root = posterior.image.embedding_root().to(classes)
        text_embedding_root = posterior.text.embedding_root().to(classes)
        embeddings = head.embed_texts(classes)
        norms = embeddings.norm(dim=-1)
        unit = embeddings / norms[:, None]
        coordinates = ClassCoordinates(
            unit,
            head.logit_scale / norms,
            classes @ text_activation_root,
            unit @ image_embedding_root,
            unit @ text_embedding_root,
        )
        return cls(
            head,
            posterior.image.activation_root().to(classes),
            image_embedding_root,
            text_activation_root,
            text_embedding_root,
            coordinates,
            posterior,
        )

    def to(self, dtype: torch.dtype) -> Linearisation:
        """The same numbers in another precision, on the same device."""
        return replace(
            self,
            head=self.head.to(self.classes.unit.device, dtype),
            image_activation_root=self.image_activation_root.to(dtype),
            image_embedding_root=self.image_embedding_root.to(dtype),
            text_activation_root=self.text_activation_root.to(dtype),
            text_embedding_root=self.text_embedding_root.to(dtype),
            classes=self.classes.to(dtype),
        )

    def double(self) -> Linearisation:
        """The same numbers in float64, for sums and solves."""
        return self.to(torch.float64)

    def widened(self, factor: float) -> Linearisation:
        """The same model with the posterior covariance of each projection multiplied by a factor."""
        root = factor**0.5
        return replace(
            self,
            image_activation_root=self.image_activation_root * root,
            text_activation_root=self.text_activation_root * root,
            classes=replace(self.classes, whitened=self.classes.whitened * root),
            widening=self.widening * factor,
        )

    def with_weight(
        self, pseudo_data_weight: float | None, classes: Float[Tensor, "C Q"]
    ) -> Linearisation:
        """The same model with another pseudo-data weight on both sides.

        None: the weight that learning starts from. `classes` are the class activations that it was built
        from.
        """
        if pseudo_data_weight is None:
            pseudo_data_weight = self.posterior.learning_weight
        own = (self.posterior.image.pseudo_data_weight, self.posterior.text.pseudo_data_weight)
        if pseudo_data_weight is None or own == (pseudo_data_weight, pseudo_data_weight):
            return self
        posterior = self.posterior.with_weight(pseudo_data_weight)
        return Linearisation.build(self.head, posterior, classes).widened(self.widening)

    def images(self, features: Features) -> ImageCoordinates:
        """Coordinates of a block of images; the features have this model's dtype and device."""
        embeddings = self.head.embed_images(features)
        norms = embeddings.norm(dim=-1)
        unit = embeddings / norms[:, None]
        cosines = unit @ self.classes.unit.T
        return ImageCoordinates(
            self.head.logit_scale * cosines + self.head.logit_bias,
            cosines,
            self.head.logit_scale / norms,
            features.activations @ self.image_activation_root,
            unit @ self.image_embedding_root,
            unit @ self.text_embedding_root,
        )

    def jvp(self, images: ImageCoordinates, update: WeightUpdate) -> Float[Tensor, "*K N C"]:
        """Jacobian-vector product: the change of the logits for a whitened update, or for each of K."""
        classes = self.classes
        moved = images.whitened @ update.image.mT  # K N D: M phi~
        along = moved @ classes.by_image.T  # K N C
        back = (moved * images.by_image).sum(dim=-1)  # K N
        change = images.scale[:, None] * (along - images.cosines * back[..., None])  # K N C
        named = classes.whitened @ update.text.mT  # K C D: M' psi~
        along = images.by_text @ named.mT  # K N C
        back = (named * classes.by_text).sum(dim=-1)  # K C
        change = change + classes.scale * (along - images.cosines * back[..., None, :])
        if update.residual is not None:
            change = change + images.whitened @ update.residual.mT
        if update.residual_embedded is not None:
            change = change + images.by_text @ update.residual_embedded.mT
        return change if update.offset is None else change + update.offset[..., None, :]

    def vjp(self, images: ImageCoordinates, weights: Float[Tensor, "*K N C"]) -> WeightUpdate:
        """Vector-Jacobian product: sum_ic weights_ic dz_ic / d(M, M'), without a residual head."""
        classes = self.classes
        scaled = weights * images.scale[:, None]  # K N C
        sideways = scaled @ classes.by_image  # K N D
        sideways = sideways - (scaled * images.cosines).sum(dim=-1)[..., None] * images.by_image
        image = sideways.mT @ images.whitened  # K D P
        scaled = weights * classes.scale  # K N C
        named = scaled.mT @ images.by_text  # K C D
        named = named - (scaled * images.cosines).sum(dim=-2)[..., None] * classes.by_text
        text = named.mT @ classes.whitened  # K D Q
        return WeightUpdate(image, text)

    def unwhiten(self, update: WeightUpdate) -> WeightUpdate:
        """The update as changes of the projections themselves: dW = L_B M L_A^T, dV likewise.

        Weights of a residual head become weights over activations or unit embeddings.
        """
        return WeightUpdate(
            self.image_embedding_root @ update.image @ self.image_activation_root.T,
            self.text_embedding_root @ update.text @ self.text_activation_root.T,
            None if update.residual is None else update.residual @ self.image_activation_root.T,
            None
            if update.residual_embedded is None
            else update.residual_embedded @ self.text_embedding_root.T,
            update.offset,
        )

    def sample(self, draws: int, generator: torch.Generator) -> WeightUpdate:
        """K joint draws of the update from the posterior: standard normal in whitened coordinates."""
        classes = self.classes

        def noise(rows: int, columns: int) -> Tensor:
            normal = torch.randn(draws, rows, columns, generator=generator, device=generator.device)
            return normal.to(classes.unit)

        size = classes.unit.shape[1]
        return WeightUpdate(
            noise(size, self.image_activation_root.shape[0]),
            noise(size, self.text_activation_root.shape[0]),
        )
