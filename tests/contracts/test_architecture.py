"""The arrows of the house: ui -> alworkbench <- store; one importer of open_clip; light modules light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = ROOT / "alworkbench" / "commands"
"""The folder that alone may join the parts, besides ui/app.py."""


OWN_PICKLES = {"alworkbench/decoding.py", "alworkbench/decoding_pool.py"}
"""What a parent process sends its own workers through a pipe; nothing from a file."""


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def names(path: Path) -> set[str]:
    """Everything that a file imports, modules named by `from package import module` included."""
    nodes = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom))
    return imports(path) | {f"{n.module}.{alias.name}" for n in nodes for alias in n.names}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def top(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("path", files("alworkbench"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_engine_knows_neither_store_nor_screens(path):
    if path.parent != COMMANDS:
        assert not top(imports(path)) & {"store", "ui"}


@pytest.mark.parametrize(
    "path",
    [path for package in ("alworkbench", "store", "ui") for path in files(package)],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_commands_are_known_to_the_command_line_alone(path):
    if path.parent != COMMANDS and path != ROOT / "alworkbench" / "cli.py":
        ends = ("alworkbench.commands", "alworkbench.cli")
        assert not {name for name in names(path) if name.startswith(ends)}


@pytest.mark.parametrize("path", files("store"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_store_knows_only_values_errors_and_its_contract(path):
    allowed = {"alworkbench.domain", "alworkbench.errors", "alworkbench.ports", "alworkbench"}
    inside = {m for m in imports(path) if m.partition(".")[0] == "alworkbench"}
    assert inside <= allowed
    assert "ui" not in top(imports(path))


@pytest.mark.parametrize("path", files("ui"), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_entry_file_of_the_screens_knows_the_store(path):
    if path.relative_to(ROOT) != Path("ui/app.py"):
        assert "store" not in top(imports(path))


def test_one_folder_imports_open_clip():
    importers = {
        path.relative_to(ROOT).parts[:2]
        for package in ("alworkbench", "store", "ui")
        for path in files(package)
        if "open_clip" in top(imports(path))
    }
    assert importers == {("alworkbench", "encoders")}


def test_nothing_unpickles():
    for package in ("alworkbench", "store", "ui"):
        for path in files(package):
            tree = ast.parse(path.read_text())
            if str(path.relative_to(ROOT)) not in OWN_PICKLES:
                assert not top(imports(path)) & {"pickle", "joblib", "dill", "cloudpickle"}, path
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                    given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                    assert given.get("weights_only") == "True", path


def test_light_modules_load_nothing_heavy():
    code = (
        "import sys, alworkbench, alworkbench.domain, alworkbench.errors, alworkbench.ports, "
        "alworkbench.cli\n"
        "heavy = {'torch', 'open_clip', 'streamlit', 'sklearn', 'matplotlib', 'pandas', 'sqlalchemy', "
        "'store', 'ui'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
