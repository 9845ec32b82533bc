"""The demonstration: the whole loop on the bundled sample, with the bundled model."""

from __future__ import annotations

from alworkbench.datasets.sample import SAMPLE, bundled_sample
from alworkbench.domain import ClassList, ProjectSettings, Role
from alworkbench.progress import Progress
from alworkbench.simulating import simulate_project
from alworkbench.simulation.report import SimulationResult
from alworkbench.simulation.runner import OpenStore, Plan
from alworkbench.workbench import Workbench

DEMO_SETTINGS = ProjectSettings(name="Clothes (demonstration)")
DEMO_CLASSES = ClassList(SAMPLE.classes)
DEMO_PLAN = Plan(strategies=("random", "entropy", "epig"), seeds=3)


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
    return simulate_project(workbench, DEMO_PLAN, open_store, None, progress)
