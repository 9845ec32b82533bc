"""A fitted temperature where the truth is known: `python -m tests.bench.temperature`.

First table: labels of one true temperature. Logits are 2 x Normal(0, 1) over 10 classes. The interval of
`fit_temperature` is compared with T exp(+-1.96 standard errors); both aim at 95 %.

Second table: a pool of 4,000 images of a model that is overconfident only where it is confident. Logits
are s_i x Normal(0, 1) over 20 classes with s_i uniform from 0.2 to 6. A label is drawn at temperature 1
where the confidence is at most 0.4, rising linearly to 2.75 at confidence 1. No single temperature is the
truth here; intervals should hold the one of the whole pool. Each of the 30 repeats is another pool.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from alworkbench.acquisition.scores import entropy
from alworkbench.adaptation.temperature import TemperatureFit, fit_temperature
from alworkbench.evaluation.lure import weights
from alworkbench.evaluation.metrics import calibration_error
from tests.bench.lure import draws

REPEATS, IMAGES, POOLS, DRAWS = 1000, 4000, 30, 20
CLASSES, SPREADS = 20, (0.2, 6.0)
FORMS = {3: ".0f", 4: ".2f", 5: ".0%"}
KNEE, HOTTEST = 0.4, 2.75


def covered(images: int, truth: float | None, random: torch.Generator) -> tuple[float, float]:
    """Shares of both intervals that hold the true T; None draws T from the prior each time."""
    held = wald = 0
    for _ in range(REPEATS):
        drawn = float(torch.randn(1, generator=random))
        temperature = math.exp(0.5 * drawn) if truth is None else truth
        logits = 2 * torch.randn(images, 10, generator=random, dtype=torch.float64)
        labels = torch.multinomial((logits / temperature).softmax(-1), 1, generator=random)[:, 0]
        fit = fit_temperature(logits, labels)
        held += fit.low <= temperature <= fit.high
        off = abs(math.log(fit.temperature / temperature))
        wald += off <= 1.96 * fit.standard_error_log
    return held / REPEATS, wald / REPEATS


@dataclass(frozen=True)
class Pool:
    """Logits and labels, with the entropy of the model's own predictions."""

    logits: Tensor
    labels: Tensor
    entropy: Tensor
    best: TemperatureFit

    @classmethod
    def of(cls, seed: int) -> Pool:
        random = torch.Generator().manual_seed(seed)
        low, high = SPREADS
        spread = low + (high - low) * torch.rand(IMAGES, 1, generator=random, dtype=torch.float64)
        logits = spread * torch.randn(IMAGES, CLASSES, generator=random, dtype=torch.float64)
        p = logits.softmax(-1)
        sure = ((p.amax(-1) - KNEE) / (1 - KNEE)).clamp(0, 1)
        heat = 1 + (HOTTEST - 1) * sure[:, None]
        labels = torch.multinomial((logits / heat).softmax(-1), 1, generator=random)[:, 0]
        return cls(logits, labels, entropy(p), fit_temperature(logits, labels))

    def fit(self, rows: Tensor, weight: Sequence[float] | None = None) -> TemperatureFit:
        given = None if weight is None else torch.tensor(weight, dtype=torch.float64)
        return fit_temperature(self.logits[rows], self.labels[rows], given)

    def drawn(self, random: np.random.Generator, labels: int) -> list[tuple[Tensor, list[float]]]:
        """Rows with their LURE weights: half uniform, half by entropy^2. DRAWS times."""
        square = self.entropy.numpy() ** 2
        chosen, q = draws(random, 0.5 / IMAGES + 0.5 * square / square.sum(), labels, DRAWS)
        return [
            (torch.from_numpy(rows), weights(each.tolist(), IMAGES))
            for rows, each in zip(chosen, q, strict=True)
        ]

    def scores(self, temperature: float) -> tuple[float, float]:
        """NLPD and ECE of the whole pool."""
        log_p = (self.logits / temperature).log_softmax(-1)
        nlpd = -float(log_p.gather(1, self.labels[:, None]).mean())
        confidence, answers = log_p.exp().max(-1)
        return nlpd, calibration_error(confidence, answers == self.labels)


def rows_of(pool: Pool, random: np.random.Generator) -> dict[str, list[TemperatureFit]]:
    """The fits of each way of choosing labels; one fit where the choice is not random."""
    found: dict[str, list[TemperatureFit]] = {}
    order = pool.entropy.argsort(descending=True)
    for count in (50, 200):
        found[f"{count} random"] = [
            pool.fit(torch.from_numpy(random.permutation(IMAGES)[:count])) for _ in range(DRAWS)
        ]
        found[f"{count} highest entropy"] = [pool.fit(order[:count])]
        drawn = pool.drawn(random, count)
        found[f"{count} half uniform, half entropy^2, LURE"] = [pool.fit(*each) for each in drawn]
        found[f"{count} half uniform, half entropy^2, no weights"] = [
            pool.fit(rows) for rows, _ in drawn
        ]
    return found


def main() -> None:
    torch.set_num_threads(1)
    console = Console(width=140)
    table = Table(
        title=f"95 % intervals that hold T: score interval / T exp(+-1.96 SE); {REPEATS} repeats each",
        box=None,
        title_justify="left",
    )
    truths = (0.5, 1.0, 2.0, 3.0, None)
    table.add_column("labels")
    for truth in truths:
        table.add_column("T from the prior" if truth is None else f"T = {truth:g}")
    random = torch.Generator().manual_seed(0)
    for images in (15, 30, 50, 100, 300):
        cells = (covered(images, truth, random) for truth in truths)
        table.add_row(str(images), *(f"{one:.1%} / {other:.1%}" for one, other in cells))
    console.print(table)

    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(POOLS):
        pool = Pool.of(seed)
        for name, temperature in (("none", 1.0), ("whole pool", pool.best.temperature)):
            scores = (temperature, *pool.scores(temperature), math.nan, math.nan, math.nan)
            found.setdefault(name, []).append(scores)
        for name, fits in rows_of(pool, np.random.default_rng(seed)).items():
            for fit in fits:
                found.setdefault(name, []).append(
                    (
                        fit.temperature,
                        *pool.scores(fit.temperature),
                        fit.effective_images,
                        fit.dispersion,
                        fit.low <= pool.best.temperature <= fit.high,
                    )
                )
    table = Table(
        title=f"Labels for a temperature, {IMAGES} images, {POOLS} pools, {DRAWS} draws where it is drawn",
        box=None,
        title_justify="left",
    )
    for heading in ("labels", "T", "NLPD", "ECE", "effective", "dispersion", "interval holds"):
        table.add_column(heading)
    for name, values in found.items():
        every = np.array(values, dtype=float)
        mean, deviation = every.mean(axis=0), every[:, 0].std()
        table.add_row(
            name,
            f"{mean[0]:.2f} ± {deviation:.2f}",
            *(f"{mean[k]:.3f}" for k in (1, 2)),
            *("" if math.isnan(mean[k]) else f"{mean[k]:{form}}" for k, form in FORMS.items()),
        )
    console.print(table)


if __name__ == "__main__":
    main()
