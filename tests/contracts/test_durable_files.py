"""Product code writes files through `alworkbench.core.atomic_files`, and renames nothing by itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OTHERS = {
    "alworkbench/core/atomic_files.py": "it is the one place",
    "alworkbench/features/shard_writing.py": "synced one by one; the last file says that the shard is whole",
    "alworkbench/encoders/encoder_spec.py": "a temporary copy that open_clip reads at once",
    "alworkbench/datasets/fit_bundled.py": "temporary files for one fit",
    "store/read_only.py": "a temporary copy of a database that is only read",
    "alworkbench/simulation/workers.py": "temporary files for worker processes",
    "alworkbench/project/packed_folder.py": "an archive in memory, sent in parts",
}
"""Files that write in another way, and why nothing that lasts can be damaged."""
INNER = {
    "alworkbench/inputs/archives.py": "_write",
    "alworkbench/project/backup.py": "_copy",
    "alworkbench/inputs/label_formats/placed_pictures.py": "_copied",
}
"""A function that writes into a folder of `atomic_folder`, which its caller opened."""

WRITERS = {"write_text", "write_bytes", "save_file", "rename", "move", "copyfile", "copy2"}
BLOCKS = {"atomic_path", "atomic_new_path", "atomic_folder"}


def called(node: ast.AST) -> str:
    function = getattr(node, "func", None)
    return str(getattr(function, "attr", getattr(function, "id", "")))


def mode(call: ast.Call) -> str:
    """The mode of an `open`, else empty."""
    given = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
    texts = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return next((text for text in texts if 1 <= len(text) <= 3 and set(text) <= set("rwxab+t")), "")


def writes(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = called(node)
    if name == "replace" and isinstance(node.func, ast.Attribute):
        return len(node.args) == 1 and not node.keywords  # of a path; that of a text has two
    if name == "rename" and isinstance(node.func, ast.Attribute):
        # A class is renamed from one name to another; a path has its own name already.
        return len(node.args) != 2 or ast.unparse(node.func) == "os.rename"
    if name in ("open", "ZipFile"):
        return bool(set(mode(node)) & set("wx"))
    if name in ("save", "savez") and ast.unparse(node.func) in ("torch.save", "np.savez"):
        return "data" not in map(ast.unparse, node.args)  # a BytesIO, by its name
    return name in WRITERS


def unprotected(node: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Calls that write outside of a block of `atomic_files`, with the function that they stand in."""
    if isinstance(node, ast.With) and any(called(i.context_expr) in BLOCKS for i in node.items):
        return
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if writes(node):
        assert isinstance(node, ast.Call)
        yield function, node
    for child in ast.iter_child_nodes(node):
        yield from unprotected(child, function)


FILES = sorted(
    str(path.relative_to(ROOT))
    for package in ("alworkbench", "store", "ui")
    for path in (ROOT / package).rglob("*.py")
)


def test_files_are_written_atomically() -> None:
    found = [
        f"{file}:{call.lineno}: {ast.unparse(call)}"
        for file in FILES
        if file not in OTHERS
        for function, call in unprotected(ast.parse((ROOT / file).read_text()))
        if function != INNER.get(file)
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "draft.replace(path)",
        "os.rename(draft, path)",
        "os.replace(draft)",
        "path.write_text(text)",
        "save_file(tensors, path)",
        "torch.save(tensor, path)",
        "path.open('wb')",
        "open(path, 'w', encoding='utf-8')",
        "zipfile.ZipFile(path, mode='x')",
    ],
)
def test_the_rule_finds(code: str) -> None:
    assert list(unprotected(ast.parse(code)))
    assert not list(unprotected(ast.parse(f"with atomic_path(p) as d, other():\n    {code}")))


@pytest.mark.parametrize(
    "code", ["text.replace('a', 'b')", "replace(value, a=1)", "path.open('rb')", "values.save()"]
)
def test_the_rule_passes(code: str) -> None:
    assert not list(unprotected(ast.parse(code)))


def test_exceptions_still_exist() -> None:
    assert set(OTHERS) | set(INNER) <= set(FILES)
