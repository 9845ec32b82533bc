"""All tuned numbers of learning from labels, as one frozen value.

Functions take the value as an argument, whose default is DEFAULT_SETTINGS. It is recorded with every
learner, and `replay` learns with the recorded numbers. L1 to L15 are the experiments of
docs/experiments/adaptation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.recorded_settings import RecordedSettings


@dataclass(frozen=True, slots=True)
class Strengths:
    """Factors of the posterior's precision before any label, for learning and for draws alike (L11).

    A method that chooses its prior from the labels replaces their size and keeps their ratio.
    """

    image: float = 1e-3
    """rho, of the image projection."""
    text: float = 1e-3
    """rho', of the text projection."""


@dataclass(frozen=True, slots=True)
class AdaptationSettings(RecordedSettings):
    """Numbers that change what a learner learns; each names the experiment that it comes from."""

    prior_variances: tuple[float, ...] = (30.0, 300.0)
    """Grid of the prior variance of a logit, squared nats (L2)."""
    residual_shares: tuple[float, ...] = (0.0, 0.5, 0.9)
    """Grid of the share of that variance that the residual head has (L2)."""
    pseudo_data_weights: tuple[float, ...] = (1.0, 1e-6)
    """Weights of the posterior's curvature that are compared with the posterior's own (L19)."""
    curvature_log_bayes_factor: float = 5.0
    """Nats by which another weight must predict left-out labels better than the posterior's own (L19):
    very strong evidence (Kass & Raftery 1995, section 3.2)."""
    fewest_prior_labels: int = 20
    """The prior is chosen from at least this many labels, if there are as many (L1)."""
    most_prior_labels: int = 200
    """The prior is chosen from at most this many labels (L4: the time of more)."""
    prior_pairs: int = 5000
    """Between the two bounds: labels times classes that the choice of the variances uses (L4)."""
    head_input_pairs: int = 20_000
    """The same for the choice of the residual head's input: it needs several labels a class (L10)."""
    head_input_folds: int = 5
    """Folds that compare the two inputs of the residual head (L10), and that choose how far the pool is
    believed (L17)."""
    names_information: float = 0.15
    """Label information of the zero-shot logits, as a share of that of the label itself, above which
    the residual head's input is not compared: activations are used (L10)."""
    embeddings_log_bayes_factor: float = 5.0
    """Nats by which embeddings must predict left-out labels better than activations (L10): very strong
    evidence (Kass & Raftery 1995, section 3.2)."""
    head_input_temperatures: tuple[float, ...] = tuple(2.0 ** (k / 4) for k in range(-4, 17))
    """Temperatures at which the two inputs are compared: each at its best (L10)."""
    rough_gradient: float = 1e-3
    """Gradient at which the fits end that only compare priors or estimate the class prior (L14)."""
    class_prior_images: int = 4096
    """Images of the pool, at most, that the class prior is estimated from (L14: their time)."""
    class_prior_pseudo_labels: float = 1.0
    """Labels, spread evenly over the classes, that the estimate of the class prior adds (L13)."""
    pool_images: int = 8192
    """Images of the pool, at most, that the class Gaussians are fitted to (L16: their time)."""
    pool_directions: int = 64
    """Principal directions of the pool that the class Gaussians live in (L16)."""
    pool_iterations: int = 5
    """Iterations of expectation maximisation that fit them (L16)."""
    stacking_means: tuple[float, ...] = (0.7, 0.03)
    """Prior means of what the logits of the labels' learner, and those of the pool, count (L17)."""
    stacking_deviations: tuple[float, ...] = (0.3, 0.1)
    """Prior standard deviations of the same (L17)."""
    temperature_deviation: float = 0.5
    """Prior standard deviation of the log of a calibration temperature (P4 of the posterior's log)."""

    def __post_init__(self) -> None:
        """Raises ValueError for a number outside of its range."""
        if not self.prior_variances or not min(self.prior_variances) > 0:
            raise ValueError(f"prior_variances must be above 0, found {self.prior_variances}")
        if not self.residual_shares or not all(0 <= share < 1 for share in self.residual_shares):
            raise ValueError(
                f"residual_shares must be from 0 to below 1, found {self.residual_shares}"
            )
        if not min(self.pseudo_data_weights, default=1) > 0:
            raise ValueError(
                f"pseudo_data_weights must be above 0, found {self.pseudo_data_weights}"
            )
        if self.head_input_folds < 2:
            raise ValueError(f"head_input_folds must be at least 2, found {self.head_input_folds}")
        for name in ("pool_images", "pool_directions", "pool_iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}")
        if len(self.stacking_means) != 2 or min(self.stacking_means) < 0:
            raise ValueError(
                f"stacking_means must be two numbers that are not below 0, found {self.stacking_means}"
            )
        if len(self.stacking_deviations) != 2 or not min(self.stacking_deviations) > 0:
            raise ValueError(
                f"stacking_deviations must be two numbers above 0, found {self.stacking_deviations}"
            )
        for name in ("rough_gradient", "class_prior_pseudo_labels", "temperature_deviation"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)}")


DEFAULT_SETTINGS = AdaptationSettings()
"""The numbers that every figure in README and docs was measured with."""
