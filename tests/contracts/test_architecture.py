"""The rooms of the house: what each may import, and what stays light.

`alworkbench` is a stack of rooms. A room imports only rooms above it in ROOMS. `store` imports `core`
alone; `ui` draws and calls the service. `api.py` and the command line alone join the parts.
"""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("alworkbench", "store", "ui")

ROOMS = (
    "core",
    "engines",
    "inputs",
    "encoders",
    "features",
    "posterior",
    "evaluation",
    "prompts",
    "adaptation",
    "acquisition",
    "estimators",
    "project",
    "datasets",
    "simulation",
    "calibration_study",
    "report",
    "api",
    "cli",
)
"""The folders of `alworkbench` and its module `api`, in order: each imports only those before it."""

STORE_MAY_IMPORT = ("core",)
UI_MAY_IMPORT = (
    "core",
    "inputs",
    "evaluation",
    "acquisition",
    "project",
    "simulation",
    "report",
    "api",
)

OWN_PICKLES = {"alworkbench/core/worker_process.py"}
"""It unpickles what a parent process sends its own workers through a pipe; nothing from a file."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


@cache
def imports(module: str) -> frozenset[str]:
    """Every module that a module imports, wherever in it: of ours the module itself, not the name."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in FILES else node.module)
    return frozenset(found)


def top(module: str) -> str:
    return module.partition(".")[0]


def room(module: str) -> str:
    """The room of a module of `alworkbench`; empty for the package's own face."""
    return [*module.split("."), ""][1]


def modules(package: str) -> list[str]:
    return sorted(name for name in FILES if top(name) == package)


def test_every_folder_is_a_room_of_the_list() -> None:
    folders = {path.parent.name for path in (ROOT / "alworkbench").glob("*/__init__.py")}
    assert folders == set(ROOMS) - {"api"}


def test_few_modules_stand_outside_of_the_rooms() -> None:
    assert {path.name for path in (ROOT / "alworkbench").glob("*.py")} == {"__init__.py", "api.py"}


@pytest.mark.parametrize("module", [m for m in modules("alworkbench") if room(m)])
def test_a_room_imports_only_rooms_above_it(module: str) -> None:
    allowed = ROOMS[: ROOMS.index(room(module)) + 1]
    ours = {target for target in imports(module) if top(target) == "alworkbench" and room(target)}
    assert {target for target in ours if room(target) not in allowed} == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """The face of the package is left out: it finds its names when they are used."""
    parts = FILES.keys() - {"alworkbench"}
    left = {name: {t for t in imports(name) if t in parts and t != name} for name in parts}
    while free := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in free}
    assert left == {}


@pytest.mark.parametrize("module", modules("alworkbench"))
def test_the_engine_knows_neither_store_nor_screens(module: str) -> None:
    if room(module) not in ("api", "cli"):
        assert not {top(target) for target in imports(module)} & {"store", "ui"}


@pytest.mark.parametrize("module", modules("store"))
def test_the_store_knows_only_the_core(module: str) -> None:
    ours = {room(target) for target in imports(module) if top(target) == "alworkbench"}
    assert ours - {""} <= set(STORE_MAY_IMPORT)
    assert "ui" not in {top(target) for target in imports(module)}


@pytest.mark.parametrize("module", modules("ui"))
def test_the_screens_know_the_service_and_not_the_store(module: str) -> None:
    ours = {room(target) for target in imports(module) if top(target) == "alworkbench"}
    assert ours - {""} <= set(UI_MAY_IMPORT)
    assert "store" not in {top(target) for target in imports(module)}


def test_one_folder_imports_open_clip() -> None:
    importers = {(top(m), room(m)) for m in FILES if "open_clip" in map(top, imports(m))}
    assert importers == {("alworkbench", "encoders"), ("alworkbench", "datasets")}


def test_nothing_unpickles() -> None:
    for module, path in FILES.items():
        if str(path.relative_to(ROOT)) not in OWN_PICKLES:
            assert not set(map(top, imports(module))) & {"pickle", "joblib", "dill", "cloudpickle"}
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert given.get("weights_only") == "True", path


def test_light_modules_load_nothing_heavy() -> None:
    code = (
        "import sys, alworkbench, alworkbench.core.domain, alworkbench.core.errors, "
        "alworkbench.core.ports, alworkbench.cli.main\n"
        "heavy = {'torch', 'open_clip', 'streamlit', 'sklearn', 'matplotlib', 'pandas', 'sqlalchemy', "
        "'store', 'ui'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
