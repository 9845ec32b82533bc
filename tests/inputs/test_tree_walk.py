"""Links in folders: read, skipped or refused by one rule, and no walk is endless."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from alworkbench.api import open_project
from alworkbench.cli.main import app
from alworkbench.core.domain import FoundImage, QuarantinedFile
from alworkbench.core.errors import ImagesRefused
from alworkbench.inputs import tree_walk
from alworkbench.inputs.sources import read_source


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (5, 4), shade).save(buffer, "PNG")
    return buffer.getvalue()


def put(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(shade))
    return path


def found_in(location: Path, **options) -> tuple[list[str], dict[str, str]]:
    """Paths that are read, and those that are set aside with the reason."""
    everything = list(read_source(location, **options).read())
    good = [file.path for file in everything if isinstance(file, FoundImage)]
    bad = {file.path: file.detail for file in everything if isinstance(file, QuarantinedFile)}
    return good, bad


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """A tree whose files are links to a cache beside it, under names without a suffix, as DVC makes it."""
    tree = tmp_path / "tree"
    for shade, name in enumerate(("heron/1.png", "heron/2.png", "coot/3.png")):
        target = put(tmp_path / "cache" / f"{shade:02x}" / "d41d8c", shade)
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(os.path.relpath(target, (tree / name).parent))
    return tree


def test_links_to_a_cache_are_followed_on_demand_and_keep_their_own_paths(cached: Path):
    good, bad = found_in(cached)
    assert good == []
    assert set(bad) == {"coot/3.png", "heron/1.png", "heron/2.png"}
    assert all("--follow-links" in reason for reason in bad.values())
    everything = list(read_source(cached, follow_links=True, labelled=True).read())
    assert [(f.path, f.class_name) for f in everything if isinstance(f, FoundImage)] == [
        ("coot/3.png", "coot"),
        ("heron/1.png", "heron"),
        ("heron/2.png", "heron"),
    ]


def test_a_manifest_reads_what_its_links_lead_to_on_demand(cached: Path):
    manifest = cached / "list.csv"
    manifest.write_text("path,label\nheron/1.png,a\ncoot/3.png,b\n")
    assert set(found_in(manifest)[1]) == {"heron/1.png", "coot/3.png"}
    assert found_in(manifest, follow_links=True) == (["heron/1.png", "coot/3.png"], {})


def test_a_linked_folder_outside_is_read_once_under_the_first_name(tmp_path: Path):
    put(tmp_path / "outside/deep/1.png", 1)
    tree = tmp_path / "tree"
    put(tree / "own.png", 2)
    for name in ("a", "b"):
        (tree / name).symlink_to(tmp_path / "outside")
    (tree / "c").symlink_to(tmp_path / "outside/deep")
    source = read_source(tree, follow_links=True)
    assert [file.path for file in source.read()] == ["a/deep/1.png", "own.png"]
    assert source.skipped == {"link to a folder": 2}
    assert set(found_in(tree)[1]) == {"a", "b", "c"}


def test_loops_are_named_and_the_walk_ends(tmp_path: Path):
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    put(outside / "1.png", 1)
    put(tree / "in/2.png", 2)
    (outside / "here").symlink_to(outside)
    (outside / "back").symlink_to(tree)
    (tree / "out").symlink_to(outside)
    (tree / "in/up").symlink_to(tree)
    (tree / "self.png").symlink_to("self.png")
    (tree / "all").symlink_to(tmp_path)
    good, bad = found_in(tree, follow_links=True)
    assert sorted(Path(path).name for path in good) == ["1.png", "2.png"]
    assert set(bad.values()) == {tree_walk.LOOP}
    assert {"in/up", "self.png", "all/outside/here", "all/outside/back"} <= set(bad)


def test_folders_of_links_to_each_other_are_read_once_and_not_on_every_path(tmp_path: Path):
    """Twenty folders, each with two links to the next one, have a million paths."""
    for n in range(20):
        folder = tmp_path / f"outside/{n}"
        put(folder / "x.png", n)
        for name in "ab":
            (folder / name).symlink_to(tmp_path / f"outside/{n + 1}")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/start").symlink_to(tmp_path / "outside/0")
    good, _ = found_in(tmp_path / "tree", follow_links=True)
    assert len(good) == 20


def test_a_broken_link_and_what_is_no_plain_file_are_set_aside(tmp_path: Path):
    put(tmp_path / "tree/good.png", 1)
    (tmp_path / "tree/gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "tree/pipe.png").symlink_to(tmp_path / "pipe")
    good, bad = found_in(tmp_path / "tree", follow_links=True)
    assert good == ["good.png"]
    assert bad == {"gone.png": "No such file or directory", "pipe.png": "it is no plain file"}


def test_folders_nested_too_deep_are_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tree_walk, "MOST_DEEP", 3)
    put(tmp_path / "a/b/c/1.png", 1)
    put(tmp_path / "a/b/c/d/2.png", 2)
    good, bad = found_in(tmp_path)
    assert good == ["a/b/c/1.png"]
    assert bad == {"a/b/c/d": "it lies more than 3 folders deep"}


def test_the_command_names_the_option_and_the_option_imports(cached: Path, tmp_path: Path):
    project = str(tmp_path / "birds")
    assert CliRunner().invoke(app, ["init", project, "-c", "heron", "-c", "coot"]).exit_code == 0
    refused = CliRunner().invoke(app, ["import", str(cached), "-p", project])
    assert isinstance(refused.exception, ImagesRefused)
    assert "--follow-links" in str(refused.exception)
    for shade in range(4):
        put(cached / f"own/{shade}.png", 10 + shade)
    mixed = CliRunner().invoke(app, ["import", str(cached), "-p", project])
    assert "Not read: 3 links out of the folder." in mixed.stderr
    assert mixed.stderr.count("--follow-links") == 1
    command = ["import", str(cached), "-p", project, "--follow-links", "--labels", "--json"]
    for left in (cached / "own").iterdir():
        left.unlink()
    done = json.loads(CliRunner().invoke(app, command).stdout)
    assert (done["new"], done["labelled"], done["links_out"], done["quarantined"]) == (3, 3, 0, [])
    with open_project(project) as workbench:
        assert workbench.images.get(5).paths == (str(cached / "coot/3.png"),)
        assert workbench.images.display(workbench.images.get(5).hash).data == png(2)
