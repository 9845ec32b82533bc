"""Classes that are retired, merged and restored in a campaign: labels stay, and teach what they count for."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import Answer, AnswerKind, Role
from alworkbench.core.domain.classes_in_use import merged, retired
from alworkbench.core.errors import ClassNotInUse, RoundStillOpen, UnknownClass
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from store import memory_store
from tests.making_project import Project, closing, one_round
from tests.project.test_class_changes import contents, logits, rows

FOUR = ["ant", "bee", "cat", "dog"]


@pytest.fixture
def begun(lived: Callable) -> Workbench:
    """A project with one round that was learned from."""
    return lived(one_round)


def taught(workbench: Workbench) -> dict[int, str]:
    """Image id -> name of the class that its label teaches."""
    with workbench.session.store.read() as reader:
        classes = reader.classes.current()
        found = taught_labels(reader, classes, Role.POOL)
    return dict(zip(found.images, (classes.names[at] for at in found.classes), strict=True))


def exported(workbench: Workbench, path: Path, *, history: bool = False) -> list[str]:
    """The labels of an export."""
    workbench.labels.export(path, history=history)
    with path.open(encoding="utf-8", newline="") as file:
        return [row["label"] for row in csv.DictReader(file) if row["annotator"] == "ada"]


def commonest(workbench: Workbench) -> str:
    return Counter(taught(workbench).values()).most_common(1)[0][0]


def test_a_merge_counts_the_labels_for_the_target_and_its_undo_gives_the_same_model(
    begun: Workbench, project: Project
) -> None:
    labels, before, model = rows(begun), taught(begun), logits(begun)
    source = commonest(begun)
    target = next(name for name in FOUR if name != source)
    listed = begun.classes.merge([source], target)
    assert source not in listed.names
    assert rows(begun) == labels
    after = {image: target if name == source else name for image, name in before.items()}
    assert taught(begun) == after
    assert logits(begun).shape[1] == 3
    counts = dict(zip(listed.names, begun.status().labels_per_class, strict=True))
    assert {name: n for name, n in counts.items() if n} == Counter(after.values())
    with closing(project.open()) as again:
        assert again.classes.current() == listed
        assert torch.equal(logits(again), logits(begun))
    assert begun.classes.restore(source).names == tuple(FOUR)
    assert taught(begun) == before
    assert torch.equal(logits(begun), model)


def test_labels_of_a_retired_class_stay_and_are_named_and_teach_nothing(
    begun: Workbench, tmp_path: Path
) -> None:
    labels, before, model = rows(begun), taught(begun), logits(begun)
    gone = commonest(begun)
    written = exported(begun, tmp_path / "before.csv")
    begun.classes.retire(gone)
    assert rows(begun) == labels
    assert taught(begun) == {image: name for image, name in before.items() if name != gone}
    count = Counter(before.values())[gone]
    assert begun.status().retired_classes == {gone: count}
    assert f"{gone} ({count} labels)" in str(begun.status())
    assert exported(begun, tmp_path / "now.csv") == written
    assert logits(begun).shape[1] == 3
    begun.classes.restore(gone)
    assert taught(begun) == before
    assert torch.equal(logits(begun), model)


def test_the_model_learns_where_no_label_teaches_any_more(
    project: Project, answers: Callable
) -> None:
    with closing(project.open()) as workbench:
        workbench.rounds.propose("random")
        [first, *_] = workbench.labels.claim("ada", 9)
        workbench.labels.record(answer(workbench, first.image_id, "bee"))
        workbench.rounds.close()
        before = logits(workbench)
        workbench.classes.retire("bee")
        assert taught(workbench) == {}
        assert logits(workbench).shape[1] == 3
        workbench.rounds.propose("margin")
        with workbench.session.store.read() as reader:
            bee = workbench.classes.current().former[0]
            items = reader.rounds.items(workbench.rounds.current().id)
        assert all(item.suggestion.class_id != bee.id for item in items)
        workbench.rounds.close(force=True)
        workbench.classes.restore("bee")
        assert torch.equal(logits(workbench), before)


def answer(workbench: Workbench, image: int, name: str, event: str = "event") -> Answer:
    """An answer with a class that is or was in use."""
    known = {c: id_ for id_, c in workbench.classes.current().given_names.items()}
    return Answer(event, image, AnswerKind.CLASS, "ada", known[name], source="csv")


def test_answers_with_a_class_that_is_not_in_use_are_refused_and_repeats_are_known(
    begun: Workbench,
) -> None:
    image = next(iter(taught(begun)))
    sent = begun.labels.record(answer(begun, image, "dog", "first"))
    begun.classes.retire("dog")
    before = rows(begun)
    assert begun.labels.record(answer(begun, image, "dog", "first")) == sent
    with pytest.raises(ClassNotInUse, match="retired"):
        begun.labels.record(answer(begun, image, "dog", "second"))
    begun.classes.merge(["dog"], "cat")
    with pytest.raises(ClassNotInUse, match="'cat'"):
        begun.labels.record(answer(begun, image, "dog", "third"))
    assert rows(begun) == before


def test_an_export_of_merged_and_retired_classes_reads_back_as_known(
    begun: Workbench, tmp_path: Path
) -> None:
    one = commonest(begun)
    begun.classes.merge([one], next(name for name in FOUR if name != one))
    other = next(name for name in begun.classes.current().names if name in taught(begun).values())
    if len(begun.classes.current()) > 2:
        begun.classes.retire(other)
    before = rows(begun)
    assert one not in exported(begun, tmp_path / "now.csv")
    assert one in exported(begun, tmp_path / "history.csv", history=True)
    for name in ("now.csv", "history.csv"):
        own = [line for line in (tmp_path / name).read_text().splitlines() if ",audit," not in line]
        (tmp_path / name).write_text("\n".join(own) + "\n")
        assert begun.labels.import_file(tmp_path / name, "ada").recorded == 0
    assert rows(begun) == before


def test_files_give_a_merged_class_its_own_label_and_cannot_give_a_retired_one(
    begun: Workbench, tmp_path: Path
) -> None:
    begun.classes.merge(["ant"], "bee")
    begun.classes.retire("cat")
    known = taught(begun)
    with begun.session.store.read() as reader:
        image, content = next(
            each for each in reader.images.ids_and_hashes(Role.POOL) if each[0] not in known
        )
    file = tmp_path / "labels.csv"
    file.write_text(f"image,label\n{content},ant\n")
    assert begun.labels.import_file(file, "eve").recorded == 1
    assert taught(begun)[image] == "bee"
    begun.classes.restore("ant")
    assert taught(begun)[image] == "ant"
    before = rows(begun)
    for name, error in (("cat", ClassNotInUse), ("owl", UnknownClass)):
        file.write_text(f"image,label\n{content},{name}\n")
        with pytest.raises(error):
            begun.labels.import_file(file, "eve")
    assert rows(begun) == before


def test_rounds_before_and_after_replay_without_a_difference(begun: Workbench) -> None:
    source = commonest(begun)
    target, third = [name for name in FOUR if name != source][:2]
    begun.classes.merge([source], target)
    begun.rounds.propose("margin")
    for item in begun.labels.claim("ada", 2):
        begun.labels.record(answer(begun, item.image_id, target, f"event {item.id}"))
    begun.rounds.close()
    begun.classes.retire(third)
    begun.classes.restore(source)
    begun.classes.use_templates(["a photo of a {}."], name=source)
    begun.rounds.propose("entropy")
    for item in begun.labels.claim("ada", 2):
        begun.labels.record(answer(begun, item.image_id, source, f"event {item.id}"))
    begun.rounds.close()
    found = replay(begun, memory_store)
    assert found.difference is None
    assert found.rounds == 3


def test_an_open_round_refuses_to_take_a_class_out_of_use_but_allows_examples(
    begun: Workbench,
) -> None:
    begun.rounds.propose("random")
    before = begun.classes.current()
    for change in (
        lambda: begun.classes.retire("cat"),
        lambda: begun.classes.merge(["cat"], "dog"),
        lambda: begun.classes.effect(retired(before, "cat")),
    ):
        with pytest.raises(RoundStillOpen):
            change()
    assert begun.classes.current() == before
    with begun.session.store.read() as reader:
        [(_, content), *_] = reader.images.ids_and_hashes(Role.POOL)
    assert begun.classes.change_examples("cat", [content]).classes[2].examples == (content,)
    assert begun.classes.change_examples("cat", [], [content]).classes == before.classes


@pytest.mark.parametrize("change", [retired, lambda c, name: merged(c, [name], "dog")])
def test_an_effect_counts_the_labels_of_the_class(begun: Workbench, change: Callable) -> None:
    classes = begun.classes.current()
    of_class = Counter(each.class_id for each in rows(begun)[0])
    for c in classes.classes[:3]:
        effect = begun.classes.effect(change(classes, c.name))
        assert (effect.labels, effect.learns_again) == (of_class[c.id], True)


@pytest.mark.parametrize(
    "words",
    [
        ["retire", "cat"],
        ["merge", "cat", "ant", "--into", "dog"],
        ["templates", "a photo of a {}.", "--class", "cat"],
        ["restore", "cat"],
        ["examples", "cat", "--add", "pool/0.png"],
    ],
)
def test_a_dry_run_of_each_command_writes_nothing(
    begun: Workbench, project: Project, words: list[str]
) -> None:
    if words[0] == "examples":
        with begun.session.store.read() as reader:
            [(_, content), *_] = reader.images.ids_and_hashes(Role.POOL)
        words[-1] = content
    begun.session.store.close()
    before = contents(project.folder)
    told = CliRunner().invoke(
        app, ["classes", *words, "--dry-run", "--project", str(project.folder)]
    )
    assert told.exit_code == 0, told.output
    assert "Nothing was written." in " ".join(told.output.split())
    assert contents(project.folder) == before


def test_the_commands_take_classes_out_of_use_and_list_them(
    begun: Workbench, project: Project
) -> None:
    begun.session.store.close()

    def run(*words: str) -> str:
        told = CliRunner().invoke(app, ["classes", *words, "--project", str(project.folder)])
        assert told.exit_code == 0, told.output
        return told.output

    run("retire", "cat")
    run("merge", "ant", "--into", "dog")
    assert "   cat  retired" in run("list").splitlines()
    assert "   ant  merged into dog" in run("list").splitlines()
    run("merge", "cat", "--into", "dog")
    found = json.loads(run("list", "--json"))
    assert [c["name"] for c in found["classes"]] == ["bee", "dog"]
    run("restore", "ant")
    run("restore", "cat")
    assert "cat" in run("list")
    assert "merged" not in run("list")
