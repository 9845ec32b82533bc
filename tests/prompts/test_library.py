"""The sets of templates, and templates of a user's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES

from alworkbench.core.errors import FeaturesMissing, InvalidTemplates
from alworkbench.features.store import FeatureStore
from alworkbench.prompts.library import (
    checked,
    collected,
    find_set,
    read_templates,
    template_sets,
)
from alworkbench.prompts.template_prompts import prompts_of_templates, template_activations
from tests.factories import normal


def test_every_template_of_every_set_is_valid_and_occurs_once_in_it() -> None:
    names = [each.name for each in template_sets()]
    assert len(set(names)) == len(names)
    for each in template_sets():
        assert checked(each.templates) == each.templates
        assert find_set(each.name) == each


@pytest.mark.parametrize(
    ("name", "published", "count"),
    [
        ("imagenet", OPENAI_IMAGENET_TEMPLATES, 80),
        ("imagenet-simple", SIMPLE_IMAGENET_TEMPLATES, 7),
    ],
)
def test_the_published_sets_give_the_prompts_of_open_clip(name, published, count) -> None:
    found = find_set(name).templates
    assert len(found) == len(published) == count
    assert prompts_of_templates(["barn owl"], found) == [each("barn owl") for each in published]


def test_a_file_holds_one_template_a_line(tmp_path: Path) -> None:
    path = tmp_path / "templates.txt"
    path.write_text("# mine\n  a {} at night.  \n\n{}, seen by day\na {} at night.\n", "utf-8-sig")
    assert read_templates(path) == ("a {} at night.", "{}, seen by day")
    together = collected(["food"], [path], ["{}, seen by day", "a {}"])
    assert together == (*find_set("food").templates, "a {} at night.", "{}, seen by day", "a {}")


@pytest.mark.parametrize("text", ["", "# nothing\n", "a {}\na photo\n", "a {}\x07\n", "{}" * 200])
def test_a_file_without_valid_templates_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "templates.txt"
    path.write_text(text)
    with pytest.raises(InvalidTemplates, match=r"templates\.txt"):
        read_templates(path)


def test_what_is_not_there_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(InvalidTemplates, match="Did you mean 'imagenet'"):
        find_set("imagnet")
    with pytest.raises(InvalidTemplates, match="cannot be read"):
        read_templates(tmp_path / "absent.txt")
    with pytest.raises(InvalidTemplates, match="alworkbench prompts list"):
        collected()


def test_activations_are_found_by_template_and_class(tmp_path: Path) -> None:
    store, names, templates = FeatureStore(tmp_path), ("ant", "bee"), ("a {}", "the {}", "{}")
    prompts = prompts_of_templates(names, templates)
    rows = normal(1, 6, 5)
    with pytest.raises(FeaturesMissing, match="prompts of the templates"):
        template_activations(store, names, templates)
    store.add_prompts(prompts, rows)
    found = template_activations(store, names, templates)
    for t, template in enumerate(templates):
        for c, name in enumerate(names):
            row = rows[prompts.index(template.replace("{}", name))]
            assert found[t, c].tolist() == row.float().tolist()
