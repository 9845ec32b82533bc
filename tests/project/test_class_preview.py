"""A preview says what the model would say if the list were stored, and writes nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassDraft, LabelClass, Role
from alworkbench.core.domain.class_changes import added, prompted, renamed
from alworkbench.core.domain.classes_in_use import merged, retired
from alworkbench.core.errors import PreviewReplaced, PreviewTooLarge, UnknownEncoder
from alworkbench.evaluation.intervals import paired_difference
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.project import class_preview, preview_prompts
from alworkbench.project.class_preview import SHOWN, ClassPreviews
from alworkbench.project.settings_change import change_settings
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing
from tests.project.test_prompt_templates import make, pictures  # noqa: F401


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
    pictures: Path,  # noqa: F811
) -> Iterator[Workbench]:
    """Of the bundled model, with a labelled audit set and no label in the pool."""
    with closing(make(tmp_path_factory.mktemp("whole") / "p", pictures).open()) as workbench:
        yield workbench


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*") if p.is_file()
    }


def test_a_preview_is_what_the_stored_list_says_and_writes_nothing(whole: Workbench) -> None:
    present = whole.classes.current()
    draft = added(
        prompted(renamed(present, "coat", "raincoat"), "bag", ("one {}",)), LabelClass("hat")
    )
    before = files(whole.session.folder.features)
    found = whole.classes.previews.of(draft)
    assert files(whole.session.folder.features) == before
    assert whole.classes.current() == present
    (measured,) = found.accuracy
    assert (measured.role, measured.images) == (Role.AUDIT, 6)

    whole.classes.apply(ClassDraft(present.id, draft.classes))
    engine = whole.session.engine()
    texts = engine.class_activations(whole.classes.current())
    rows = engine.table().rows_of([each.hash for each in found.images])
    wanted = engine.head.logits(engine.table().gather(rows), texts).softmax(dim=-1).topk(3)
    assert torch.equal(
        torch.tensor([[place for place, _ in each.top] for each in found.images]), wanted.indices
    )
    torch.testing.assert_close(
        torch.tensor([[p for _, p in each.top] for each in found.images]), wanted.values
    )
    again = whole.classes.previews.of(whole.classes.current())
    assert again.images == found.images
    assert again.accuracy[0].now == measured.then
    assert again.accuracy[0].difference[0] == 0


def test_other_turns_show_other_images_and_the_same_turn_the_same(
    whole: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = whole.classes.current()
    first = whole.classes.previews.of(present)
    assert len(first.images) == SHOWN == len({each.hash for each in first.images})
    assert whole.classes.previews.of(present) == first
    with whole.session.store.read() as reader:
        pool = {content for _, content in reader.images.ids_and_hashes(Role.POOL)}
    assert {each.hash for each in first.images} <= pool
    monkeypatch.setattr(class_preview, "SHOWN", 3)
    previews = ClassPreviews(whole.session)
    few, following = (previews.of(present, turn=turn).images for turn in (0, 1))
    seed = whole.session.settings().seed
    change_settings(whole.session, seed=seed + 1)
    other = previews.of(present).images
    change_settings(whole.session, seed=seed)
    assert other == following != few


def test_a_draw_decodes_only_the_hashes_that_it_shows(
    whole: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    known = FeatureStore.prompts

    def prompts(store: FeatureStore) -> Any:
        reads.append("prompts")
        return known(store)

    def hashes(_: FeatureTable) -> list[str]:
        reads.append("all hashes")
        return []

    present = whole.classes.current()
    monkeypatch.setattr(FeatureStore, "prompts", prompts)
    monkeypatch.setattr(FeatureTable, "hashes", property(hashes))
    previews = ClassPreviews(whole.session)
    for turn in (7, 8):
        assert len(previews.of(present, turn=turn).images) == SHOWN
    assert reads == ["prompts"]  # once, until the file changes


def test_no_prompt_is_encoded_twice_and_a_newer_preview_stops_an_older_one(
    whole: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews, encoder = whole.classes.previews, whole.session.text_encoder("", "")
    kind = type(encoder)
    encode = kind.encode_prompts
    asked: Counter[str] = Counter()
    begun, all_asked = Event(), Event()

    def waiting(self: Any, prompts: list[str], batch_size: int = 256) -> Any:
        asked.update(prompts)
        begun.set()
        assert all_asked.wait(300)
        return encode(self, prompts, batch_size)

    monkeypatch.setattr(kind, "encode_prompts", waiting)
    monkeypatch.setattr(preview_prompts, "AT_ONCE", 2)
    many = whole.classes.current()
    for n in range(3):
        many = added(many, LabelClass(f"thing {n}"))
    ended: list[Any] = []

    def ask(by: str) -> None:
        try:
            ended.append(previews.of(many, by=by))
        except PreviewReplaced as replaced:
            ended.append(replaced)

    threads = [Thread(target=ask, args=(by,)) for by in ("ada", "ada", "bo")]
    threads[0].start()
    assert begun.wait(300)
    for each in threads[1:]:
        each.start()
    while previews._prompts._asked != {"ada": 2, "bo": 1}:
        threads[1].join(0.01)
    all_asked.set()
    for each in threads:
        each.join(300)
    assert sum(isinstance(each, PreviewReplaced) for each in ended) == 1
    assert len(ended) == 3
    assert set(asked.values()) == {1}

    monkeypatch.setattr(preview_prompts, "MOST_PROMPTS", 2)
    for n in range(3):
        many = added(many, LabelClass(f"other thing {n}"))
    before = asked.total()
    with pytest.raises(PreviewTooLarge, match="at most 2"):
        previews.of(many)
    assert asked.total() == before


def test_names_that_the_model_reads_as_one_are_named(whole: Workbench) -> None:
    present = whole.classes.current()
    long = "word " * 38
    draft = added(added(present, LabelClass(long + "one")), LabelClass(long + "two"))
    found = whole.classes.previews.of(draft)
    last = (len(draft) - 2, len(draft) - 1)
    assert found.cut == last
    assert last in found.same


def test_a_project_of_a_features_file_previews_what_its_file_holds(project: Project) -> None:
    with closing(project.open()) as workbench:
        present = workbench.classes.current()
        found = workbench.classes.previews.of(retired(present, "dog"))
        assert {place for each in found.images for place, _ in each.top} <= {0, 1, 2}
        assert [each.role for each in found.accuracy] == [Role.AUDIT]
        fewer = found.accuracy[0].images
        whole = workbench.classes.previews.of(merged(present, ["dog"], "cat")).accuracy[0]
        assert fewer < whole.images
        with pytest.raises(UnknownEncoder):
            workbench.classes.previews.of(renamed(present, "dog", "hound"))


def test_the_command_prints_what_the_service_says(whole: Workbench) -> None:
    folder = str(whole.session.folder.path)
    words = ["classes", "preview", "--project", folder]
    printed = CliRunner().invoke(app, [*words, "--json"])
    assert printed.exit_code == 0, printed.output
    found = whole.classes.previews.of(whole.classes.current())
    assert [each["hash"] for each in json.loads(printed.output)["images"]] == [
        each.hash for each in found.images
    ]
    told = CliRunner().invoke(app, words)
    assert "Accuracy by names and prompts alone" in told.output


def test_the_accuracy_of_the_present_list_is_that_of_the_measured_model_without_the_pool(
    whole: Workbench,
) -> None:
    """The model that is not taught by the pool has this accuracy; another one may have another."""
    present = whole.classes.current()
    change_settings(whole.session, adaptation="linearised")
    measured = whole.learners.measured_zero_shot(present)
    change_settings(whole.session, adaptation="pool-taught")
    assert measured is not None
    (found,) = whole.classes.previews.of(present).accuracy
    assert found.now[0] == measured.values["accuracy"]
    assert found.images == measured.audit_images


@pytest.mark.parametrize(("gained", "lost", "count"), [(0, 0, 5), (3, 0, 9), (2, 7, 40), (9, 0, 9)])
def test_the_interval_of_a_change_holds_it_and_turns_with_it(
    gained: int, lost: int, count: int
) -> None:
    difference, low, high = paired_difference(gained, lost, count)
    assert -1 <= low < high <= 1
    assert low <= difference <= high or gained == count
    back = paired_difference(lost, gained, count)
    assert back == pytest.approx((-difference, -high, -low))
    wide = paired_difference(10 * gained, 10 * lost, 10 * count)
    assert wide[2] - wide[1] < high - low
