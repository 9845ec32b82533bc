"""How far a posterior fitted from the pool agrees with one fitted from pairs: Spearman's correlation.

The bundled model on the bundled sample; the fit from pairs is the model's own posterior.
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
from alworkbench.adaptation.learner import Strengths, zero_shot
from alworkbench.datasets.sample import UNKNOWN_TO_BUNDLED_MODEL, bundled_sample
from alworkbench.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.domain import ProjectFolder, Role
from alworkbench.encoders import load_encoder
from alworkbench.encoders.vocabulary import vocabulary_prompts
from alworkbench.fitting import PAIR_BATCH
from alworkbench.pool_fitting import fit_from_pool
from alworkbench.posterior.kronecker import Posterior
from alworkbench.workbench import Workbench, utc_now
from store import create_store

DRAWS = 256


class Sample:
    """The bundled sample as the bundled model sees it."""

    def __init__(self, folder: Path) -> None:
        project = ProjectFolder(folder / "project")
        store = create_store(project.database, DEMO_SETTINGS, DEMO_CLASSES, utc_now())
        workbench = Workbench(project, store)
        workbench.import_images(bundled_sample())
        workbench.encode()
        with store.read() as reader:
            hashes = [h for _, h in reader.images.ids_and_hashes(Role.POOL)]
        engine = workbench.engine()
        self.head, self.encoder_id, self.table = engine.head, engine.encoder_id, engine.table()
        self.rows = self.table.rows_of(hashes)
        self.images = self.table.gather(self.rows)
        self.classes = engine.class_activations(workbench.classes())
        self.from_pairs = workbench.posterior()
        encoder = load_encoder(DEMO_SETTINGS.encoder, torch.device("cpu"))
        self.prompts = encoder.encode_prompts([p for c in DEMO_CLASSES.classes for p in c.prompts])
        self.vocabulary = encoder.encode_prompts(vocabulary_prompts())
        store.close()

    def scores(self, posterior: Posterior, seed: int) -> dict[str, Tensor]:
        """What is ranked by: of the pool's images, but for beta of the classes."""
        strengths = Strengths()
        belief = posterior.tempered(strengths.image, strengths.text)
        learner = zero_shot(self.head, belief, self.classes)
        step = learner.draws(DRAWS, seed)
        blocks = []
        for rows in torch.arange(len(self.rows)).split(500):
            block = self.images[rows]
            change = learner.model.change(learner.model.images(block), step)
            blocks.append((learner.logits(block) + change).softmax(dim=-1))
        return {
            "predictive entropy": torch.cat([scores.predictive_entropy(b) for b in blocks]),
            "BALD": torch.cat([scores.bald(b) for b in blocks]),
            "alpha of images": posterior.image.quadratic(self.images.activations),
            "beta of classes": posterior.text.quadratic(self.classes),
        }
