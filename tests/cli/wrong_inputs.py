"""Wrong inputs, as people give them: what each command prints and how it ends.

`python -m tests.cli.wrong_inputs` prints docs/wrong-inputs.md. The inputs are made in one folder with two
projects: `birds` has 40 images in its pool, 24 in its audit set, features and an open round; `fresh` has
classes only.
"""

from __future__ import annotations

import io
import re
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alworkbench.cli.main import main
from tests.making_project import NAMES, make_pictures, make_project, picture

BIRDS, FRESH = ("--project", "birds"), ("--project", "fresh")
CLASSES = ("--class", "ant", "--class", "bee")


@dataclass(frozen=True)
class Wrong:
    """A wrong input: in plain words, as a command, and how it must end."""

    what: str
    command: tuple[str, ...]
    exit_code: int
    make: Callable[[], object] = lambda: None
    """Makes the input, in the working folder."""


def text(name: str, content: str | bytes) -> Callable[[], object]:
    """What writes a file."""
    data = content.encode() if isinstance(content, str) else content
    return lambda: Path(name).write_bytes(data)


def rows(*lines: str) -> str:
    return "image,label\n" + "".join(f"{line}\n" for line in lines)


def label(what: str, content: str | bytes, exit_code: int = 4, name: str = "wrong.csv") -> Wrong:
    """A file of labels for the project `birds`."""
    return Wrong(what, ("label", name, *BIRDS), exit_code, text(name, content))


def brought(what: str, name: str, make: Callable[[], object], *options: str) -> Wrong:
    """A source of images for the project `birds`."""
    return Wrong(what, ("import", name, *options, *BIRDS), 4, make)


def manifest(what: str, content: str) -> Wrong:
    return brought(what, "wrong.csv", text("wrong.csv", content))


def plan(what: str, *lines: str) -> Wrong:
    """A plan of a simulation."""
    content = "".join(f"{line}\n" for line in ("data: sample", "out: results", *lines))
    return Wrong(what, ("simulate", "--plan", "plan.yaml"), 4, text("plan.yaml", content))


def zip_with(name: str) -> None:
    with zipfile.ZipFile("wrong.zip", "w") as archive:
        archive.writestr(name, Path("pool/000.png").read_bytes())


def tar_with_link() -> None:
    with tarfile.open("wrong.tar", "w") as archive:
        link = tarfile.TarInfo("password.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)


def two_classes() -> None:
    for name in NAMES[:2]:
        picture(Path("twice", name, "new.png"), 999)


def one_class(name: str) -> Callable[[], object]:
    return lambda: picture(Path("named", name, "new.png"), 998)


def other_files() -> None:
    Path("papers").mkdir()
    for number in range(3):
        Path("papers", f"{number}.pdf").touch()


def pickled() -> None:
    """A features file with every array that is needed; one of them would run code when it is loaded."""
    with np.load("features.npz") as file:
        arrays = dict(file)
    np.savez("wrong.npz", **{**arrays, "activations": np.array([{"run": "me"}], dtype=object)})


def newer() -> None:
    shutil.copytree("fresh", "newer")
    with sqlite3.connect("newer/project.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999_later'")
    database.close()


def no_database() -> None:
    Path("noise").mkdir()
    Path("noise/project.db").write_bytes(bytes(range(256)) * 64)


def audit_labels() -> str:
    """An export of the audit set, as rows of the pool."""
    return "image,label,role\npool/000.png,ant,audit\n"


WRONG = (
    # ------------------------------------------------------------------------------------- init
    Wrong("no class at all", ("init", "new"), 4),
    Wrong("two names that differ only in case", ("init", "new", "-c", "Ant", "-c", "ant"), 4),
    Wrong("a name that is empty", ("init", "new", "-c", "ant", "-c", " "), 4),
    Wrong("a line break in a name", ("init", "new", "-c", "ant", "-c", "b\nee"), 4),
    Wrong("a prompt without {}", ("init", "new", *CLASSES, "--template", "a photo"), 4),
    Wrong("an encoder that does not exist", ("init", "new", *CLASSES, "--encoder", "ViT-B-33"), 5),
    Wrong("a strategy with a typing error", ("init", "new", *CLASSES, "--strategy", "covrage"), 7),
    Wrong("a method with a typing error", ("init", "new", *CLASSES, "--adaptation", "map-"), 7),
    Wrong("a negative seed", ("init", "new", *CLASSES, "--seed", "-1"), 2),
    Wrong("a batch of no images", ("init", "new", *CLASSES, "--batch", "0"), 2),
    Wrong("a folder that has a project", ("init", "birds", *CLASSES), 3),
    Wrong("a folder that is a file", ("init", "a-file", *CLASSES), 3, text("a-file", "")),
    Wrong("a list of classes that is missing", ("init", "new", "--classes", "none.txt"), 4),
    Wrong(
        "a list of classes in another encoding",
        ("init", "new", "--classes", "wrong.txt"),
        4,
        text("wrong.txt", "grün\nrot\n".encode("latin-1")),
    ),
    # ----------------------------------------------------------------------------------- projects
    Wrong("a folder without a project", ("status", "--project", "pool"), 3),
    Wrong("a project of a newer version", ("status", "--project", "newer"), 3, newer),
    Wrong("a database of noise", ("status", "--project", "noise"), 3, no_database),
    # ------------------------------------------------------------------------------------- import
    Wrong("a folder that is missing", ("import", "none", *BIRDS), 4),
    brought("an empty folder", "empty", lambda: Path("empty").mkdir()),
    brought("a folder of other files", "papers", other_files),
    brought(
        "a file that is no archive", "wrong.zip", text("wrong.zip", b"PK\x03\x04" + bytes(100))
    ),
    brought("an archive that writes elsewhere", "wrong.zip", lambda: zip_with("../../evil.png")),
    brought("an archive with a link", "wrong.tar", tar_with_link),
    brought("one picture in two class folders", "twice", two_classes, "--labels"),
    brought("a class that the project does not have", "named", one_class("elephant"), "--labels"),
    brought("audit images that are in the pool", "pool", lambda: None, "--audit"),
    manifest("a manifest without paths", "file,label\n000.png,ant\n"),
    manifest("a manifest with a short line", "path,label\npool/000.png\n"),
    manifest("a manifest that names a file twice", "path\npool/000.png\npool/000.png\n"),
    manifest("a manifest that leads elsewhere", "path\n../../etc/passwd\n"),
    manifest("a manifest with a broken hash", "path,sha256\npool/000.png,abc\n"),
    # -------------------------------------------------------------------------------------- label
    Wrong("labels that are missing", ("label", "none.csv", *BIRDS), 4),
    Wrong("a folder in the place of labels", ("label", "pool", *BIRDS), 4),
    label("an empty file", ""),
    label("a table without a column of labels", "image,class\npool/000.png,ant\n"),
    label("only empty labels", rows("pool/000.png,")),
    label(
        "a stray quote",
        rows('pool/000.png,"ant', "pool/001.png,bee", "pool/002.png,cat"),
    ),
    label("one field too few", rows("pool/000.png,ant", "pool/001.png")),
    label("one field too many", rows("pool/000.png,ant,yes")),
    label("bytes that are no text", b"image,label\npool/000.png,\xff\xfe\xfa\n"),
    label("a picture as labels", b"\x89PNG\r\n\x1a\n" + bytes(64)),
    label("an image that is not here", rows("elsewhere/7.png,ant")),
    label("a class with a typing error", rows("pool/000.png,aint")),
    label("two labels for one image", rows("pool/000.png,ant", "pool/001.png,bee", "000.png,cat")),
    label("a kind that does not exist", "image,label,kind\npool/000.png,,maybe\n"),
    label("a skipped image with a label", "image,label,kind\npool/000.png,ant,skip\n"),
    label("a role that does not exist", "image,label,role\npool/000.png,ant,train\n"),
    label("a label of the audit set for the pool", audit_labels()),
    label("a broken line of JSON", '{"image": "pool/000.png"', name="wrong.jsonl"),
    label(
        "a name twice in an object",
        '{"image": "pool/000.png", "label": "ant", "label": "bee"}\n',
        name="wrong.jsonl",
    ),
    label("a list as a label", '{"image": "pool/000.png", "label": ["ant"]}\n', name="wrong.jsonl"),
    Wrong(
        "a column that the table lacks",
        ("label", "wrong.csv", "--label-column", "species", *BIRDS),
        4,
        text("wrong.csv", rows("pool/000.png,ant")),
    ),
    Wrong(
        "a history without events",
        ("label", "wrong.csv", "--history", *BIRDS),
        4,
        text("wrong.csv", rows("pool/000.png,ant")),
    ),
    # --------------------------------------------------------------------- features and posterior
    Wrong("features that are missing", ("encode", "--features", "none.npz", *BIRDS), 4),
    Wrong(
        "features that are a text",
        ("encode", "--features", "wrong.npz", *BIRDS),
        4,
        text("wrong.npz", "hello"),
    ),
    Wrong("pickled features", ("encode", "--features", "wrong.npz", *BIRDS), 4, pickled),
    Wrong("captions for features of a file", ("fit", "--pairs", "none.csv", *BIRDS), 5),
    Wrong("captions that are missing", ("fit", "--pairs", "none.csv", *FRESH), 4),
    # ------------------------------------------------------------------------------------- rounds
    Wrong("a second round at once", ("propose", *BIRDS), 7),
    Wrong("a round without images", ("propose", *FRESH), 5),
    Wrong("nothing to close", ("close", *FRESH), 7),
    Wrong("a round that nobody answered", ("close", *BIRDS), 7),
    Wrong("a round that does not exist", ("round", "9", *BIRDS), 7),
    Wrong("memory in words", ("propose", "--memory", "much", *BIRDS), 2),
    Wrong("a device that is not here", ("predict", "x.csv", "--device", "cuda:7", *BIRDS), 8),
    # ------------------------------------------------------------------------------------ outputs
    Wrong("an export into a folder", ("export", "pool", *BIRDS), 4),
    Wrong("an export of an unknown kind", ("export", "labels.docx", *BIRDS), 4),
    Wrong(
        "an export below a file",
        ("export", "a-file/labels.csv", *BIRDS),
        4,
        text("a-file", ""),
    ),
    Wrong("a format with a typing error", ("export", "x", "--format", "cocoo", *BIRDS), 4),
    Wrong(
        "a folder of labels that is not empty", ("export", "pool", "--format", "yolo", *BIRDS), 4
    ),
    Wrong("predictions of an unknown kind", ("predict", "x.txt", *BIRDS), 4),
    Wrong("an image that nobody knows", ("explain", "none.png", *BIRDS), 4),
    # -------------------------------------------------------------------------------- simulations
    plan("an unknown word in a plan", "strategy: margin"),
    plan("a number as a strategy", "strategies: 7"),
    plan("a batch of no images in a plan", "batch: 0"),
    plan("a share over one in a plan", "pool_fraction: 30"),
    plan("a plan that is no YAML", "seeds: [1, 2"),
    Wrong("a collection with a typing error", ("datasets", "show", "glyps"), 4),
)


def make_place(folder: Path, made: tuple[Path, Path, dict[str, str]]) -> None:
    """The two projects, and the pictures of the first."""
    shutil.copytree(made[0] / "pool", folder / "pool")
    shutil.copytree(made[0] / "audit", folder / "audit")
    shutil.copy(made[1], folder / "features.npz")
    project = make_project(folder / "birds", (folder, made[1], made[2]))
    with project.open() as workbench:
        workbench.rounds.propose("random", 4)
    run("init", str(folder / "fresh"), *CLASSES)


def run(*words: str) -> tuple[int, str]:
    """The exit code of a command, and what it printed, in one line."""
    out, complaints, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["alworkbench", *words]
    try:
        with redirect_stdout(out), redirect_stderr(complaints):
            main()
        code: object = 0
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    return int(str(code or 0)), message(complaints.getvalue() or out.getvalue())


def message(printed: str) -> str:
    """The message alone, in one line: without a progress bar, a usage line and the frame around it."""
    words = " ".join(re.sub("[─│╭╮╰╯]", " ", printed).split())
    found = re.search(r"\bError\b:? (?P<message>.*)", words)
    return found["message"] if found else words


def tried(folder: Path) -> Iterator[tuple[Wrong, int, str]]:
    """Every wrong input with what came of it."""
    for wrong in WRONG:
        with chdir(folder):
            wrong.make()
            yield wrong, *run(*wrong.command)


def page(found: list[tuple[Wrong, int, str]], folder: Path) -> str:
    """The results as a page of the documentation."""

    def cell(words: str) -> str:
        return words.replace(f"{folder}/", "").replace("|", "\\|")

    lines = [
        "# Wrong inputs",
        "",
        "What a command prints when it is given something wrong. Nothing is stored then. A test tries each",
        "line; `python -m tests.cli.wrong_inputs` writes this page.",
        "",
        "| input | command | exit code | what it prints |",
        "|---|---|---|---|",
    ]
    for wrong, code, said in found:
        command = " ".join(
            repr(w) if not w.isprintable() or " " in w or not w else w for w in wrong.command
        )
        lines.append(f"| {wrong.what} | `alworkbench {cell(command)}` | {code} | {cell(said)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        here = Path(root).resolve() / "here"
        make_place(here, make_pictures(Path(root) / "pictures"))
        print(page(list(tried(here)), here), end="")
