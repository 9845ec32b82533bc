"""The demonstration: the whole loop on the bundled sample, with the bundled model."""

from __future__ import annotations

import os

from alworkbench.datasets.archives import unpack
from alworkbench.datasets.readers import MANIFEST
from alworkbench.datasets.sample import SAMPLE, bundled_sample
from alworkbench.domain import DEFAULT_STRATEGY, ClassList, ProjectSettings, Role
from alworkbench.progress import Progress
from alworkbench.simulation.data import LabelledPictures
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.replays import simulate_project
from alworkbench.simulation.results import SimulationResult
from alworkbench.simulation.runner import OpenStore
from alworkbench.simulation.sources import truth_of_manifest
from alworkbench.workbench import Workbench

DEMO_SETTINGS = ProjectSettings(name="Clothes (demonstration)")
DEMO_CLASSES = ClassList(SAMPLE.classes)
DEMO_PLAN = Plan(strategies=("random", "entropy", DEFAULT_STRATEGY), seeds=3)


def prepare_demo(
    workbench: Workbench, open_store: OpenStore, progress: Progress
) -> SimulationResult:
    """Import, encode, ask and simulate: each only as far as it has not been done before."""
    status = workbench.status()
    if status.pool_images == 0:
        workbench.import_images(bundled_sample(), role=Role.POOL, progress=progress)
        status = workbench.status()
    if status.encoded < status.pool_images + status.audit_images:
        workbench.encode(progress=progress)
    if workbench.open_round() is None:
        workbench.propose(progress=progress)
    truth = sample_truth(workbench)
    processes = os.cpu_count() or 1
    return simulate_project(
        workbench, DEMO_PLAN, open_store, truth, None, progress, processes, truth_name="sample"
    )


def sample_truth(workbench: Workbench) -> LabelledPictures:
    """What the bundled sample's manifest says of each picture. The loop itself never sees it."""
    folder = unpack(bundled_sample(), workbench.folder.images)
    return truth_of_manifest(folder / MANIFEST)
