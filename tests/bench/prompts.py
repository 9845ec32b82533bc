"""What the dispersion of a template (ATFD) says of its calibration, on the bundled sample with its labels.

`python -m tests.bench.prompts`: every template of the library alone, on the test images. The published claim
is about templates within 3 points of the best accuracy: the larger the ATFD, the smaller the calibration
error (ECE), so that their correlation is negative. Once with all ten names, once with the six names that
the bundled model was trained with. The intervals are 95 % bootstrap intervals over templates; many templates
differ in one word, so that they are too narrow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.calibration_study.dispersion_correlation import correlation, near_the_best
from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.domain import ProjectFolder
from alworkbench.datasets.sample import CLASS_NAMES, UNKNOWN_TO_BUNDLED_MODEL, bundled_sample
from alworkbench.features.store import FeatureStore
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.prompts.audit_figures import AuditFigures, AuditPart
from alworkbench.prompts.dispersion import text_feature_dispersion
from alworkbench.prompts.ensembles import (
    SPACES,
    class_ensemble,
    ensemble_probabilities,
    unit_images,
    unit_texts,
)
from alworkbench.prompts.library import find_set, template_sets
from alworkbench.prompts.ranking import Ranking, TemplateFigures, rank_templates
from alworkbench.prompts.template_prompts import template_activations
from alworkbench.simulation.load.project_data import sample_truth
from store import create_store

TOGETHER = 5
"""Templates at the top of the ranking that are also taken together."""


def told(figures: Sequence[TemplateFigures], other: Sequence[float]) -> str:
    """The correlation of ATFD and other figures: Pearson's r and Spearman's, with bootstrap intervals."""
    return str(correlation([each.atfd for each in figures], other))


class Case:
    """The bundled sample with some of its class names."""

    def __init__(self, workbench: Workbench, names: tuple[str, ...]) -> None:
        engine, truth = workbench.session.engine(), sample_truth(workbench)
        self.head, self.names = engine.head, names
        self._features = FeatureStore(workbench.session.folder.features / engine.encoder_id)
        table = engine.table()

        def embedded(part: dict[str, str]) -> tuple[torch.Tensor, torch.Tensor]:
            used = {content: name for content, name in part.items() if name in names}
            rows = table.rows_of(list(used))
            labels = torch.tensor([names.index(name) for name in used.values()])
            return unit_images(engine.head, table.gather(rows)), labels

        self.pool, _ = embedded(dict(truth.pool))
        self.test = AuditPart(*embedded(dict(truth.test)))

    def activations(self, templates: Sequence[str]) -> torch.Tensor:
        return template_activations(self._features, self.names, templates)

    def ranked(self, templates: Sequence[str]) -> Ranking:
        return rank_templates(
            self.head, templates, self.activations(templates), [self.pool], self.test
        )

    def measured(self, templates: Sequence[str], space) -> AuditFigures:
        probabilities = ensemble_probabilities(
            self.head, self.test.images, self.activations(templates), space
        )
        return AuditFigures.of(probabilities, self.test.labels)


def correlations(case: Case, ranking: Ranking, table: Table) -> None:
    """One line for each choice of templates."""
    parts = {
        "all": ranking.templates,
        "within 3 points of the best accuracy": near_the_best(ranking.templates),
        "kept by the filter without labels": [each for each in ranking.templates if each.kept],
    }
    for name, part in parts.items():
        table.add_row(
            f"{len(case.names)}", name, str(len(part)),
            told(part, [each.audit.ece for each in part]),
            told(part, [each.audit.nlpd for each in part]),
            told(part, [each.confidence for each in part]),
        )  # fmt: skip
    table.add_section()


def choices(case: Case, ranking: Ranking, table: Table) -> None:
    """One line for each way to choose templates, with and without labels."""
    kept = [each for each in ranking.templates if each.kept]
    published = find_set("imagenet").templates

    def add(name: str, templates: Sequence[str], space="features") -> None:
        found = case.measured(templates, space)
        together = class_ensemble(case.head, case.activations(templates))
        distance = text_feature_dispersion(unit_texts(case.head, together).double())
        table.add_row(
            f"{len(case.names)}", name, f"{distance:.3f}" if space == "features" else "",
            f"{found.accuracy:.3f}", f"{found.ece:.3f}", f"{found.nlpd:.3f}",
        )  # fmt: skip

    add("those of the sample (3)", DEMO_CLASSES.classes[0].templates)
    add(f"first by ATFD: {kept[0].template}", [kept[0].template])
    add(f"first {TOGETHER} by ATFD together", [each.template for each in kept[:TOGETHER]])
    add(f"last kept by ATFD: {kept[-1].template}", [kept[-1].template])
    for space in SPACES:
        add(f"imagenet (80), averaged {space}", published, space)
    add("clothing (6)", find_set("clothing").templates)
    nlpd = min(ranking.templates, key=lambda each: each.audit.nlpd)
    add(f"best by the test labels: {nlpd.template}", [nlpd.template])
    table.add_section()


def main() -> None:
    templates = list(dict.fromkeys(t for each in template_sets() for t in each.templates))
    first, second = Table(title="ATFD and other figures of a template"), Table(title="Choices")
    for heading in (
        "names", "templates", "count", "with ECE: r [95 %], rank", "with NLPD", "with confidence",
    ):  # fmt: skip
        first.add_column(heading)
    for heading in ("names", "templates", "ATFD", "accuracy", "ECE", "NLPD"):
        second.add_column(heading)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        store = create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now())
        with Workbench(ProjectFolder(folder), store) as workbench:
            workbench.images.add(bundled_sample())
            workbench.features.encode()
            workbench.prompts.rank(templates)  # encodes every prompt
            known = tuple(name for name in CLASS_NAMES if name not in UNKNOWN_TO_BUNDLED_MODEL)
            for names in (tuple(CLASS_NAMES), known):
                case = Case(workbench, names)
                ranking = case.ranked(templates)
                correlations(case, ranking, first)
                choices(case, ranking, second)
    console = Console(width=190)
    console.print(first, second)


if __name__ == "__main__":
    main()
