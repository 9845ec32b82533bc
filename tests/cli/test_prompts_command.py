"""Commands that list, rank, try and use prompt templates."""

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.project.workbench import Workbench
from alworkbench.prompts.library import find_set
from store import create_store
from tests.making_project import picture

TEMPLATES = ("a photo of a {}.", "a drawing of the {}", "the {} seen by night")
NAMED = [word for template in TEMPLATES for word in ("-t", template)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small project of the bundled model with an audit set."""
    root = tmp_path_factory.mktemp("clothes")
    names = ("dress", "coat", "bag")
    for k in range(8):
        picture(root / "pool" / f"{k}.png", k)
    for k in range(6):
        picture(root / "audit" / names[k % 3] / f"{k}.png", 50 + k)
    classes = ClassList(tuple(LabelClass(name) for name in names))
    place = root / "project"
    store = create_store(
        place, ProjectSettings("clothes"), classes, datetime(2026, 1, 1, tzinfo=UTC)
    )
    with Workbench(ProjectFolder(place), store) as workbench:
        workbench.images.add(root / "pool")
        workbench.images.add(root / "audit", role=Role.AUDIT)
        workbench.features.encode(workers=0)
    return place


def prompts(folder, command, *arguments, ok=True):
    done = CliRunner().invoke(app, ["prompts", command, *arguments, "--project", str(folder)])
    if ok:
        assert done.exit_code == 0, done.output
    return done


def test_the_sets_and_their_templates_are_listed():
    def run(*words):
        return CliRunner().invoke(app, ["prompts", "list", *words]).stdout

    found = json.loads(run("--json"))
    assert len(found[0]["templates"]) == 80
    assert all(each["name"] in run() for each in found)
    assert run("satellite").splitlines() == json.loads(run("satellite", "--json"))["templates"]


def test_a_ranking_is_printed_and_given_as_json(folder):
    found = json.loads(prompts(folder, "rank", *NAMED, "--json").stdout)
    ranking = found["ranking"]
    assert {each["template"] for each in ranking["templates"]} == set(TEMPLATES)
    assert (ranking["images"], ranking["audit_images"]) == (8, 6)
    assert found["cut_names"] == []
    words = prompts(folder, "rank", *NAMED, "--by", "nlpd", "--most", "1").output
    best = json.loads(prompts(folder, "rank", *NAMED, "--by", "nlpd", "--json").stdout)
    first, *rest = [each["template"] for each in best["ranking"]["templates"]]
    assert first in words
    assert not any(template in words for template in rest)
    assert "all 3 together" in words
    assert "NLPD" in words


def test_a_trial_compares_the_three_averages_with_the_present_prompts(folder, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("\n".join(TEMPLATES[1:]))
    given = ("--templates", str(file), "--set", "food")
    found = json.loads(prompts(folder, "try", *given, "--json").stdout)
    assert found["templates"] == [*find_set("food").templates, *TEMPLATES[1:]]
    assert set(found["effect"]["given"]) == {"features", "logits", "probabilities"}
    words = prompts(folder, "try", *given).output
    assert "given, averaged probabilities" in words
    assert "alworkbench prompts use" in words
    one = prompts(folder, "try", "-t", TEMPLATES[1]).output
    assert "averaged" not in one


def test_use_makes_a_new_version_of_the_class_list(folder):
    def listed():
        done = CliRunner().invoke(app, ["classes", "list", "--project", str(folder), "--json"])
        return json.loads(done.stdout)

    before = listed()["id"]
    words = prompts(folder, "use", *NAMED).output
    assert f"Version {before + 1} of the class list: 3 classes with 3 templates each" in words
    assert [tuple(each["templates"]) for each in listed()["classes"]] == [TEMPLATES] * 3
    found = json.loads(prompts(folder, "use", *NAMED, "--json").stdout)
    assert found["class_list"]["id"] == before + 1
    assert "already" in prompts(folder, "use", *NAMED).output


def test_a_prompt_that_is_cut_is_told(folder):
    long = "an owl " * 6 + "and a {} that cannot be read"
    words = " ".join(prompts(folder, "try", "-t", long).output.split())
    assert "cannot read the whole prompt of 'dress', 'coat', 'bag'" in words
    assert json.loads(prompts(folder, "try", "-t", long, "--json").stdout)["cut_names"] == [
        "dress",
        "coat",
        "bag",
    ]


@pytest.mark.parametrize("command", ["try", "use"])
def test_nothing_is_tried_or_used_without_a_template(folder, command):
    done = prompts(folder, command, ok=False)
    assert "There is no template" in str(done.exception)
    assert done.exception.exit_code == 4


@pytest.mark.parametrize("command", ["rank", "try", "use"])
def test_a_project_of_a_features_file_is_told_why_it_cannot(run, command):
    done = run("prompts", command, *NAMED, ok=False)
    assert "came from a file" in str(done.exception)
    assert done.exception.exit_code == 5
