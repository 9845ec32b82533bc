"""The demonstration: the labelling loop on the bundled sample with the bundled model."""

from __future__ import annotations

import os

from alworkbench.core.domain import DEFAULT_STRATEGY, ClassList, ProjectSettings, Role
from alworkbench.core.progress import Progress
from alworkbench.datasets.sample import SAMPLE, bundled_sample
from alworkbench.project.workbench import Workbench
from alworkbench.report.writing import write_curve
from alworkbench.simulation.config import SAMPLE as SAMPLE_TRUTH
from alworkbench.simulation.experiment import run_plan
from alworkbench.simulation.load.origin import origin_of_project
from alworkbench.simulation.load.project_data import data_of_project, sample_truth
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.results import SimulationResult
from alworkbench.simulation.run import OpenStore

DEMO_SETTINGS = ProjectSettings(name="Clothes (demonstration)")
DEMO_CLASSES = ClassList(SAMPLE.classes)
DEMO_PLAN = Plan(strategies=("random", "entropy", DEFAULT_STRATEGY), seeds=3)


def prepare_demo(
    workbench: Workbench, open_store: OpenStore, progress: Progress
) -> SimulationResult:
    """Import, encode, propose a round and simulate. Skip every step that is already done."""
    status = workbench.status()
    if status.pool_images == 0:
        workbench.images.add(bundled_sample(), role=Role.POOL, progress=progress)
        status = workbench.status()
    if status.encoded < status.pool_images + status.audit_images:
        workbench.features.encode(progress=progress)
    if workbench.rounds.current() is None:
        workbench.rounds.propose(progress=progress)
    result = run_plan(
        data_of_project(workbench, sample_truth(workbench)),
        DEMO_PLAN,
        open_store,
        workbench.session.folder.simulations,
        progress,
        os.cpu_count() or 1,
        origin_of_project(workbench.session.folder.path, SAMPLE_TRUTH),
    )
    write_curve(result)
    return result
