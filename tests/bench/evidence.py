"""The prior precision of most evidence at the sizes of a ViT-B/32: seconds, decomposition apart."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.posterior.curvature import KroneckerFactors
from alworkbench.posterior.kronecker import KroneckerPosterior, best_prior_precision

P, D, PAIRS, REPEATS = 768, 512, 4096, 7


def seconds(work: Callable[[], object]) -> float:
    """Median of the repeats, after one that is not counted."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    # Spectra that fall over several decades, as those of real activations do.
    decay = torch.logspace(0, -3, P, dtype=torch.float64)
    phi = torch.randn(PAIRS, P, generator=generator, dtype=torch.float64) * decay
    jacobians = torch.randn(PAIRS, D, generator=generator, dtype=torch.float64) * decay[:D]
    factors = KroneckerFactors(phi.T @ phi, jacobians.T @ jacobians, PAIRS)
    mean = 0.01 * torch.randn(D, P, generator=generator)
    posterior = KroneckerPosterior.from_factors(mean, factors, prior_precision=1.0)
    steps: dict[str, Callable[[], object]] = {
        "decompose both factors": lambda: KroneckerPosterior.from_factors(
            mean, factors, prior_precision=1.0
        ),
        "maximise the evidence after that": lambda: best_prior_precision(posterior),
        "another pseudo-data weight, and again": lambda: best_prior_precision(
            posterior.with_weight(10.0)
        ),
        "the evidence of one prior precision": lambda: posterior.with_prior(50.0).log_evidence(),
    }
    title = f"Prior precision, P = {P}, D = {D}, {torch.get_num_threads()} threads"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("step")
    table.add_column("seconds", justify="right")
    for name, work in steps.items():
        table.add_row(name, f"{seconds(work):.4f}")
    Console().print(table)


if __name__ == "__main__":
    main()
