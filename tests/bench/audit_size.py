"""How many random labels a temperature needs, on the bundled sample: `python -m tests.bench.audit_size`.

REPEATS times an audit set is drawn at random from a pool of 2,000 images, before the default strategy asks
LABELS of the rest. A temperature is fitted to the first 10 to 500 images of the audit set, for the zero-shot
model and for the default learner. Measured are the 1,000 balanced images of the test part, and the 1,000
images of the long-tailed pool that the run did not see: these have the class shares of the audit set. No
image is in the audit set and measured.

    not scaled     the logits of the learner of the labels count once (`calibrated_learners`)
    left-out       as the learner predicts; its scale was chosen by labels that were left out
    10 to 500      the same after a temperature from so many labels of the audit set
    n, balanced    from n labels, weighted so that every class counts the same, as in the test part
    all measured   from the measured images themselves: no temperature is better for them

Prints for each model and part the temperature, NLPD, ECE and its floor, mean ± standard deviation over the
repeats; how far the mean NLPD is above the best; and in how many repeats NLPD is worse than `not scaled` and
than `left-out`, with the largest loss. Then the fewest labels from which on the mean NLPD stays within a
distance of the best.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.method_cards import POOL_TAUGHT
from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.run import Simulator
from store import memory_store
from tests.bench.calibrated_learners import (
    BATCH,
    Recorder,
    SeedParts,
    Values,
    figures,
    recorded,
    unit_scale,
)

SIZES = (10, 20, 30, 50, 75, 100, 200, 300, 500)
REPEATS, LABELS = 20, 50
DISTANCES = (0.05, 0.02, 0.01)
"""In nats, of the best NLPD."""
NONE, LEFT_OUT, BEST = "not scaled", "left-out", "all measured"
BALANCED = {f"{n}, balanced": n for n in (50, 500)}


def sized(parts: SeedParts, seed: int) -> Callable[[Learner, Learner], Values]:
    """The figures of a learner by part and size of the audit set, with one random order for all learners."""
    order = torch.randperm(
        len(parts.audit.labels), generator=torch.Generator().manual_seed(2**34 + seed)
    )

    def values(learner: Learner, start: Learner) -> Values:
        model = learner if learner.state is not None else start
        audit, labels = model.logits(parts.audit.features[order]), parts.audit.labels[order]
        fits = {str(n): fit_temperature(audit[:n], labels[:n]).temperature for n in SIZES}
        for name, n in BALANCED.items():
            balanced = 1 / labels[:n].bincount()[labels[:n]].double()
            fits[name] = fit_temperature(audit[:n], labels[:n], balanced).temperature
        found: Values = {}
        for name, part in parts.measured.items():
            logits = model.logits(part.features).double()
            best = fit_temperature(logits, part.labels).temperature
            temperatures = {NONE: unit_scale(model), LEFT_OUT: 1.0, **fits, BEST: best}
            found[name] = {
                size: figures(logits / temperature, part) | {"temperature": temperature}
                for size, temperature in temperatures.items()
            }
        return found

    return values


def table(model: str, part: str, runs: list[dict[str, dict[str, float]]]) -> tuple[list[str], str]:
    """Rows by size, and which sizes reach the plateau."""
    by_size = {
        size: {each: np.array([run[size][each] for run in runs]) for each in runs[0][size]}
        for size in runs[0]
    }
    best = by_size[BEST]["nlpd"]
    lines, above = [], {}
    for size, values in by_size.items():
        above[size] = float((values["nlpd"] - best).mean())
        cells = [
            f"{values[each].mean():.{digits}f} ± {values[each].std(ddof=1):.{digits}f}"
            for each, digits in (("temperature", 2), ("nlpd", 3), ("ece", 3))
        ]
        worse = []
        for other in (NONE, LEFT_OUT):
            loss = values["nlpd"] - by_size[other]["nlpd"]
            worse.append(f"{int((loss > 0).sum())}, {max(0.0, loss.max()):.3f}")
        floor = f"{values['ece_floor'].mean():.3f}"
        cells = [cells[0], cells[1], f"{above[size]:+.3f}", cells[2], floor, *worse]
        lines.append(f"| {model} | {part} | {size} | {' | '.join(cells)} |")
    reached = []
    for distance in DISTANCES:
        enough = [
            size
            for k, size in enumerate(SIZES)
            if all(above[str(n)] <= distance for n in SIZES[k:])
        ]
        reached.append(f"{distance:g}: {f'from {enough[0]}' if enough else 'not with 500'}")
    return lines, f"{model}, {part}, NLPD within nats of the best: {'; '.join(reached)}"


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        data = load_collection("sample", Path(scratch))
    plan = Plan((DEFAULT_STRATEGY,), (POOL_TAUGHT,), (BATCH,), REPEATS, LABELS, max(SIZES))
    simulator = Simulator(data, plan, memory_store)
    runs = []
    for run in plan.runs():
        parts = SeedParts.of(data, run.seed, plan)
        recorder = Recorder(parts.measured["test"], (0, LABELS), sized(parts, run.seed))
        runs.append(recorded(simulator, run, recorder))
    headings = ("model", "measured", "labels", "T", "NLPD", "above best", "ECE", "floor")
    headings = (*headings, "worse than not scaled", "worse than left-out")
    lines, reached = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"], []
    for count, model in ((0, "zero-shot"), (LABELS, f"default, {LABELS} labels")):
        for part in ("test", "pool"):
            rows, words = table(model, part, [run[str(count)][part] for run in runs])
            lines += rows
            reached.append(words)
    print("\n".join([*lines, "", *reached]))


if __name__ == "__main__":
    main()
