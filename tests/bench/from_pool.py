"""How far a posterior fitted from the pool agrees with one fitted from pairs: `-m tests.bench.from_pool`.

Spearman's rank correlations over the bundled sample's pool (beta: over its 10 classes), the bundled
model seen with its own posterior, fitted from 3,000 pairs that it was trained on, and with one fitted
from the pool. `as fitted` draws from the posterior itself, `as used` from the weaker one that learner
and strategies share. The last column is what chance leaves: one posterior, drawn from with two seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.adaptation.learner import zero_shot
from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.domain import ProjectFolder, Role
from alworkbench.datasets.sample import bundled_sample
from alworkbench.encoders import load_encoder
from alworkbench.features.store import FeatureStore
from alworkbench.posterior.fit_pairs import PAIR_BATCH
from alworkbench.posterior.fit_pool import fit_from_pool, prompts_of
from alworkbench.posterior.kronecker import Posterior
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import create_store

USES = {"as fitted": Strengths(1.0, 1.0), "as used": Strengths()}
BLOCK_ROWS = 256


class Sample:
    """The bundled sample as the bundled model sees it, with a posterior from pairs and two others."""

    def __init__(self, folder: Path, seed: int) -> None:
        project = ProjectFolder(folder / "project")
        store = create_store(project.database, DEMO_SETTINGS, DEMO_CLASSES, utc_now())
        workbench = Workbench(project, store)
        workbench.images.add(bundled_sample())
        workbench.features.encode()
        with store.read() as reader:
            hashes = [content for _, content in reader.images.ids_and_hashes(Role.POOL)]
        engine, features = workbench.session.engine(), workbench.session.engine().table()
        self.head = engine.head
        self.rows = features.rows_of(hashes)
        self.images = features.gather(self.rows)
        self.classes = engine.class_activations(workbench.classes.current())
        self.from_pairs = workbench.posteriors.newest()
        encoder = load_encoder(DEMO_SETTINGS.encoder, torch.device("cpu"))
        prompts = FeatureStore(project.features / engine.encoder_id)
        sources = {
            "with the vocabulary": prompts_of(prompts, DEMO_CLASSES, encoder),
            "class prompts alone": prompts_of(prompts, DEMO_CLASSES, None),
        }
        self.from_pool = {
            name: fit_from_pool(
                engine.head,
                features,
                self.rows,
                activations,
                engine.encoder_id,
                batch=PAIR_BATCH,
                seed=seed,
            ).posterior
            for name, activations in sources.items()
        }
        store.close()

    def scores(self, posterior: Posterior, draws: int, seed: int) -> dict[str, Tensor]:
        """What images are ranked by, and beta of the classes."""
        found = {}
        for use, strengths in USES.items():
            belief = posterior.tempered(strengths.image, strengths.text)
            learner = zero_shot(self.head, belief, self.classes)
            update = learner.draws(draws, seed)
            entropies, gains = [], []
            for rows in torch.arange(len(self.rows)).split(BLOCK_ROWS):
                block = self.images[rows]
                change = learner.model.jvp(learner.model.images(block), update)  # K n C
                drawn = (learner.logits(block) + change).softmax(dim=-1)
                entropies.append(scores.predictive_entropy(drawn))
                gains.append(scores.bald(drawn))
            found[f"predictive entropy, {use}"] = torch.cat(entropies)
            found[f"BALD, {use}"] = torch.cat(gains)
        found["alpha of images"] = posterior.image.quadratic(self.images.activations)
        found["beta of classes"] = posterior.text.quadratic(self.classes)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=512)
    given = parser.parse_args()
    torch.set_num_threads(1)  # other counts add up in another order: other last digits
    with tempfile.TemporaryDirectory() as folder:
        sample = Sample(Path(folder), given.seed)
    truth = sample.scores(sample.from_pairs, given.draws, given.seed)
    columns = {
        name: sample.scores(posterior, given.draws, given.seed)
        for name, posterior in sample.from_pool.items()
    }
    columns["from pairs, other draws"] = sample.scores(
        sample.from_pairs, given.draws, given.seed + 1
    )
    table = Table(title="Spearman's rank correlation with the fit from pairs")
    table.add_column("score")
    for name in columns:
        table.add_column(name, justify="right")
    for score, values in truth.items():
        found = [float(spearmanr(values, other[score]).statistic) for other in columns.values()]
        table.add_row(score, *(f"{value:.3f}" for value in found))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
