"""Prompts tuned over a project's images: an interruption, the order and the cache change no answer."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file

import alworkbench.project.prompt_tuning as module
import alworkbench.prompts.tuning.answer_file as answer_file
from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.core.errors import (
    EncoderMismatch,
    FeaturesMissing,
    InvalidAnswerFile,
    InvalidInitPhrase,
    NothingToImport,
    PromptsNotTunable,
    UnknownEncoder,
)
from alworkbench.encoders import loading
from alworkbench.encoders.loading import load_model
from alworkbench.inputs.picture import read_image
from alworkbench.project.workbench import Workbench
from alworkbench.prompts.ensembles import unit_images
from alworkbench.prompts.tuning.objectives import A_TPT, C_TPT, OBJECTIVES, TPT
from alworkbench.prompts.tuning.predictor import TuningPredictor
from alworkbench.prompts.tuning.tuning_settings import TuningSettings
from alworkbench.prompts.tuning.view_features import TunableImage
from alworkbench.prompts.tuning.views import ViewSettings
from store import create_store, open_store
from tests.making_project import Project, closing, picture

NAMES = ("dress", "coat", "=bag, red")
POOL, AUDIT = 6, 3
VIEWS = ViewSettings(count=3)


@functools.cache
def bundled() -> loading.LoadedModel:
    return load_model("bundled", torch.device("cpu"))


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests tune the bundled model, which tuning does not change."""
    monkeypatch.setattr(
        loading,
        "load_model",
        lambda spec, device: bundled() if spec == "bundled" else load_model(spec, device),
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for k in range(POOL):
        picture(root / "pool" / f"{k}.png", k)
        picture(root / "turned" / f"{POOL - k}.png", k)
    for k in range(AUDIT):
        picture(root / "audit" / f"{k}.png", 50 + k)
    return root


def make(
    folder: Path, *sources: Path, encoder: str = "bundled", names: tuple[str, ...] = NAMES
) -> Project:
    """A project of these pools, encoded."""
    found = Project(folder, folder, {})
    classes = ClassList(tuple(LabelClass(name) for name in names))
    settings = ProjectSettings("clothes", encoder=encoder, batch_size=2)
    create_store(folder, settings, classes, found.clock()).close()
    with closing(found.open()) as workbench:
        for source in sources:
            role = Role.AUDIT if source.name == "audit" else Role.POOL
            workbench.images.add(source, role=role)
        workbench.features.encode(workers=0)
    return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Project:
    """Tuning leaves nothing in a project but its cache of views, so tests may share one."""
    return make(
        tmp_path_factory.mktemp("shared") / "clothes", pictures / "pool", pictures / "audit"
    )


@pytest.fixture
def bench(shared: Project) -> Iterator[Workbench]:
    with closing(shared.open()) as workbench:
        yield workbench


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def without_paths(file: Path) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "path"} for row in rows(file)]


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file of a project without the cache of views and SQLite's own files."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and "views" not in path.relative_to(folder).parts
        and not path.name.endswith(("-wal", "-shm"))
    }


def test_the_answers_are_those_of_the_library(bench: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "new" / "answers.csv"
    report = bench.tuning.prepare(file, objective=A_TPT, views=VIEWS).run()
    assert (report.images, report.answered, report.known, report.unreadable) == (POOL, POOL, 0, ())
    found = bundled()
    predictor = TuningPredictor(
        found.model, found.tokenize, found.preprocess, NAMES, objective=A_TPT, views=VIEWS
    )
    columns = [f"p:{name}" for name in NAMES]
    with bench.session.store.read() as reader:
        places = dict(reader.images.hashes_and_paths(Role.POOL))
    assert [row["hash"] for row in rows(file)] == sorted(places)
    for row in rows(file):
        image = TunableImage(row["hash"], lambda row=row: read_image(Path(places[row["hash"]])))
        (answer,) = predictor.predict([image])
        assert [float(row[name]) for name in columns] == pytest.approx(
            answer.probabilities.tolist(), rel=1e-8
        )
        # Nine digits give back every float32.
        written = torch.tensor([float(row[name]) for name in columns])
        assert torch.equal(written, answer.probabilities)
        assert row["class"].removeprefix("'") == NAMES[answer.predicted]
        assert torch.tensor(float(row["confidence"])) == answer.probabilities.max()
        assert row["path"] == places[row["hash"]]


@pytest.mark.parametrize("views", [VIEWS, None])
def test_a_resumed_run_gives_the_bytes_of_an_uninterrupted_one(
    bench: Workbench, tmp_path: Path, views: ViewSettings | None
) -> None:
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    bench.tuning.prepare(whole, views=views).run()

    def interrupt(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    for at in range(2):
        prepared = bench.tuning.prepare(cut, views=views)
        assert len(prepared.left) == POOL - 2 * at
        with pytest.raises(KeyboardInterrupt):
            prepared.run(interrupt)
        assert len(rows(cut)) == 2 * (at + 1)
    report = bench.tuning.prepare(cut, views=views).run()
    assert (report.answered, report.known) == (2, 4)
    assert cut.read_bytes() == whole.read_bytes()
    again = bench.tuning.prepare(cut, views=views)
    assert again.predictor is None  # no model is needed
    assert again.cost() is None
    assert again.run().known == POOL
    assert cut.read_bytes() == whole.read_bytes()
    assert cut.with_suffix(".settings.json").read_bytes() == report.settings_file.read_bytes()


@pytest.mark.parametrize("views", [VIEWS, None])
def test_the_order_of_the_images_and_the_cache_change_no_answer(
    shared: Project, tmp_path: Path, pictures: Path, views: ViewSettings | None
) -> None:
    """The other project met the same pictures the other way round, and has an empty cache."""
    files = tmp_path / "one.csv", tmp_path / "other.csv"
    turned = make(tmp_path / "turned", pictures / "turned")
    orders = []
    for project, file in zip((shared, turned), files, strict=True):
        with closing(project.open()) as workbench:
            prepared = workbench.tuning.prepare(file, views=views)
            orders.append([task.hash for task in prepared.left])
            prepared.run()
    assert orders[0] == orders[1][::-1]
    assert without_paths(files[0]) == without_paths(files[1])


def test_other_settings_are_refused_by_name(bench: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    bench.tuning.prepare(file, views=VIEWS, most=1).run()
    kept = file.read_bytes()
    for name, other in {
        "objective": {"objective": A_TPT},
        "tuning.weight": {"tuning": TuningSettings(weight=20.0)},
        "tuning.phrase": {"tuning": TuningSettings(phrase="a drawing of a")},
        "views.count": {"views": ViewSettings(count=4)},
        "views.seed": {"views": ViewSettings(count=3, seed=1)},
        "views.augmix": {"views": ViewSettings(count=3, augmix=True)},
        "views was": {"views": None},
    }.items():
        with pytest.raises(InvalidAnswerFile, match=f"other settings.*{name}"):
            bench.tuning.prepare(file, **({"views": VIEWS} | other))
    bench.tuning.prepare(file, objective=C_TPT, tuning=TuningSettings(weight=50.0), views=VIEWS)
    assert file.read_bytes() == kept


def test_another_class_list_is_refused(tmp_path: Path, pictures: Path) -> None:
    file = tmp_path / "answers.csv"
    with closing(make(tmp_path / "one", pictures / "audit", pictures / "pool").open()) as workbench:
        workbench.tuning.prepare(file, views=None).run()
        workbench.classes.add(LabelClass("boot"))
        with pytest.raises(InvalidAnswerFile, match="classes was"):
            workbench.tuning.prepare(file, views=None)


def test_a_setting_that_does_nothing_is_not_compared(bench: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    bench.tuning.prepare(file, objective=TPT, views=VIEWS, most=1).run()
    bench.tuning.prepare(file, objective=TPT, tuning=TuningSettings(weight=3.0), views=VIEWS)
    file = tmp_path / "once.csv"
    bench.tuning.prepare(file, views=None, most=1).run()
    tuning = TuningSettings(weight=3.0, confident_share=0.5)
    bench.tuning.prepare(file, tuning=tuning, views=None)


def test_a_file_that_is_not_ours_or_damaged_is_refused(bench: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    bench.tuning.prepare(file, views=VIEWS, most=2).run()
    settings = file.with_suffix(".settings.json")
    good, good_settings = file.read_bytes(), settings.read_bytes()
    lines = good.splitlines(keepends=True)
    for content, why in (
        (lines[1], "other columns"),
        (b"", "other columns"),
        (lines[0] + lines[1][:-9], "line 2 is damaged"),
        (lines[0] + b"0" + lines[1][:-14], "line 2 is damaged"),
        (lines[0] + b"x" + lines[1], "line 2 is damaged"),
        (lines[0] + lines[1] * 2, "line 3 repeats"),
        (lines[0] + b"\xff", "cannot be read"),
    ):
        file.write_bytes(content)
        with pytest.raises(InvalidAnswerFile, match=why):
            bench.tuning.prepare(file, views=VIEWS)
    file.write_bytes(good)
    for content in (b"{", b"[]", b"[" * 100_000):
        settings.write_bytes(content)
        with pytest.raises(InvalidAnswerFile, match=r"settings .* cannot be read"):
            bench.tuning.prepare(file, views=VIEWS)
    settings.unlink()
    with pytest.raises(InvalidAnswerFile, match=r"settings .* are missing"):
        bench.tuning.prepare(file, views=VIEWS)
    settings.write_bytes(good_settings)
    assert len(bench.tuning.prepare(file, views=VIEWS).left) == POOL - 2
    with pytest.raises(InvalidAnswerFile, match=r"not as '\.txt'"):
        bench.tuning.prepare(tmp_path / "answers.txt")


@pytest.mark.parametrize("views", [VIEWS, None])
def test_the_project_does_not_change(
    shared: Project, tmp_path: Path, views: ViewSettings | None
) -> None:
    with closing(shared.open()):
        before = digests(shared.folder)
    with closing(shared.open()) as workbench:
        prepared = workbench.tuning.prepare(tmp_path / "answers.csv", views=views)
        prepared.cost()
        prepared.run()
    assert digests(shared.folder) == before


def test_the_cost_falls_with_answers_and_cached_views(tmp_path: Path, pictures: Path) -> None:
    file = tmp_path / "answers.csv"
    with closing(make(tmp_path / "clothes", pictures / "pool").open()) as workbench:
        tuning, views = workbench.tuning, ViewSettings(count=4)
        fresh = tuning.prepare(file, views=views)
        cost = fresh.cost()
        assert cost is not None
        assert (cost.images, cost.views) == (POOL, POOL * 4)
        assert not file.exists()
        size = fresh.cache_bytes
        tuning.prepare(file, views=views, most=2).run()
        kept = sum(
            path.stat().st_size for path in workbench.session.folder.views.rglob("*.safetensors")
        )
        assert size / POOL <= kept / 2 < size / POOL + 200  # the file names its tensor
        second = tuning.prepare(file, views=views).cost()
        assert second is not None
        assert (second.images, second.views) == (POOL - 2, (POOL - 2) * 4)
        other = tuning.prepare(tmp_path / "other.csv", objective=TPT, views=views)
        assert other.cached == 2
        assert other.cost().views == (POOL - 2) * 4
        assert other.cache_bytes == fresh.cache_bytes == size * (POOL - 2) // POOL
        assert tuning.prepare(tmp_path / "once.csv", views=None).cost() is None


def test_views_are_read_from_the_cache_for_another_objective(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(make(tmp_path / "clothes", pictures / "pool").open()) as workbench:
        workbench.tuning.prepare(tmp_path / "c.csv", views=VIEWS).run()

        def unread(task: object) -> None:
            raise AssertionError("a file was read")

        monkeypatch.setattr(module, "read_picture", unread)
        report = workbench.tuning.prepare(tmp_path / "a.csv", objective=A_TPT, views=VIEWS).run()
    assert report.answered == POOL


def test_files_that_cannot_be_read_are_skipped_and_counted(tmp_path: Path, pictures: Path) -> None:
    pool = tmp_path / "pool"
    shutil.copytree(pictures / "pool", pool)
    file = tmp_path / "answers.csv"
    with closing(make(tmp_path / "clothes", pool).open()) as workbench:
        (pool / "1.png").unlink()
        shutil.copy(pool / "3.png", pool / "2.png")
        report = workbench.tuning.prepare(file, views=VIEWS).run()
        assert report.answered == len(rows(file)) == POOL - 2
        found = {Path(each.path).name: each.detail for each in report.unreadable}
        assert set(found) == {"1.png", "2.png"}
        assert "changed on disk" in found["2.png"]
        # A file that is back is answered by the same call.
        shutil.copy(pictures / "pool" / "1.png", pool / "1.png")
        again = workbench.tuning.prepare(file, views=VIEWS).run()
        assert (again.answered, again.known, len(again.unreadable)) == (1, POOL - 2, 1)


def test_without_images_the_features_of_the_project_are_asked_with_prompts_of_the_penalty(
    bench: Workbench, tmp_path: Path
) -> None:
    file = tmp_path / "answers.csv"
    bench.tuning.prepare(file, views=None, most=4).run()
    found = bundled()
    tuner = TuningPredictor(found.model, found.tokenize, found.preprocess, NAMES).tuner
    engine = bench.session.engine()
    hashes = [row["hash"] for row in rows(file)]
    assert len(hashes) == 4
    images = unit_images(engine.head, engine.table().gather(engine.table().rows_of(hashes)))
    wanted = tuner.logits(images, tuner.tune_without_images().features).softmax(dim=-1)
    written = torch.tensor([[float(row[f"p:{name}"]) for name in NAMES] for row in rows(file)])
    torch.testing.assert_close(written, wanted)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: each.name)
def test_without_images_an_objective_needs_a_penalty(bench, tmp_path, objective) -> None:
    if objective.penalty is None:
        with pytest.raises(ValueError, match="has no penalty"):
            bench.tuning.prepare(tmp_path / "answers.csv", objective=objective, views=None)
    else:
        prepared = bench.tuning.prepare(tmp_path / "a.csv", objective=objective, views=None, most=1)
        assert prepared.run().answered == 1


def test_the_chosen_images_are_a_sample_or_a_role_or_the_newest_round(
    shared: Project, bench: Workbench, tmp_path: Path, pictures: Path
) -> None:
    with bench.session.store.read() as reader:
        pool = {content for _, content in reader.images.ids_and_hashes(Role.POOL)}
        audit = {content for _, content in reader.images.ids_and_hashes(Role.AUDIT)}
    whole = [task.hash for task in bench.tuning.images()]
    assert set(whole) == pool
    assert {task.hash for task in bench.tuning.images("audit")} == audit
    smaller = None
    for most in range(1, POOL + 2):
        sample = [task.hash for task in bench.tuning.images(most=most)]
        assert len(sample) == min(most, POOL)
        assert sample == [task.hash for task in bench.tuning.images(most=most)]
        assert sample == [content for content in whole if content in sample]  # in the same order
        assert smaller is None or smaller < set(sample) or most > POOL
        smaller = set(sample)
    with pytest.raises(NothingToImport, match="newest round has no image"):
        bench.tuning.images("newest-round")
    with closing(make(tmp_path / "rounds", pictures / "pool").open()) as workbench:
        workbench.rounds.propose("random")
        workbench.rounds.close(force=True)
        second = workbench.rounds.propose("random")
        with workbench.session.store.read() as reader:
            items = reader.rounds.items(second.id)
            asked = {reader.images.get(item.image_id).hash for item in items}
        assert {task.hash for task in workbench.tuning.images("newest-round")} == asked


def test_answers_are_saved_while_a_run_goes_on(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_file, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(answer_file, "MOST_OF_THE_TIME", float("inf"))
    file = tmp_path / "answers.csv"
    seen = []
    bench.tuning.prepare(file, views=VIEWS).run(lambda *_: seen.append(len(rows(file))))
    assert seen == list(range(1, POOL + 1))


def test_the_settings_are_recorded(bench: Workbench, tmp_path: Path) -> None:
    report = bench.tuning.prepare(tmp_path / "answers.csv", views=VIEWS, most=1).run()
    found = json.loads(report.settings_file.read_text(encoding="utf-8"))
    assert found["encoder"] == bench.session.encoder_record().id
    assert found["classes"] == list(NAMES)
    assert (found["objective"], found["tuning"]["weight"]) == ("c-tpt", 50.0)
    assert ViewSettings.from_record(found["views"]) == VIEWS


def test_features_from_a_file_cannot_be_tuned(workbench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(UnknownEncoder, match=r"came from a file .*no model can encode views"):
        workbench.tuning.prepare(tmp_path / "answers.csv")


def test_a_tower_that_cannot_be_tuned_says_so(tmp_path: Path, pictures: Path) -> None:
    text = {"context_length": 20, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 1}
    text |= {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
    vision = {"image_size": 32, "patch_size": 16, "width": 40, "head_width": 20, "layers": 1}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text, "custom_text": True}
    config |= {"init_logit_bias": -10.0}
    (tmp_path / "twins.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = CustomTextCLIP(24, vision, text, init_logit_bias=-10.0)
    save_file(model.state_dict(), tmp_path / "twins.safetensors")
    spec = f"{tmp_path / 'twins.json'}:{tmp_path / 'twins.safetensors'}"
    found = make(tmp_path / "project", pictures / "pool", encoder=spec)
    file = tmp_path / "answers.csv"
    with closing(found.open()) as workbench:
        for views in (VIEWS, None):
            with pytest.raises(PromptsNotTunable, match="bidirectional"):
                workbench.tuning.prepare(file, views=views)
        model.logit_scale.data += 1
        save_file(model.state_dict(), tmp_path / "twins.safetensors")
        with pytest.raises(EncoderMismatch):
            workbench.tuning.prepare(file)
    assert not file.exists()


def test_long_names_are_told_and_a_phrase_without_a_word_is_refused(
    tmp_path: Path, pictures: Path
) -> None:
    long = "a coat with very many words in its name, many more than can be read"
    found = make(tmp_path / "project", pictures / "audit", pictures / "pool", names=("bag", long))
    with closing(found.open()) as workbench:
        prepared = workbench.tuning.prepare(tmp_path / "answers.csv", views=None)
        assert prepared.cut_names == (long,)
        with pytest.raises(InvalidInitPhrase):
            workbench.tuning.prepare(tmp_path / "a.csv", tuning=TuningSettings(phrase=""))


def test_a_project_without_features_or_images_says_so(tmp_path: Path, pictures: Path) -> None:
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    found = Project(tmp_path / "project", tmp_path, {})
    create_store(found.folder, ProjectSettings("toy"), classes, found.clock()).close()
    file = tmp_path / "answers.csv"
    with closing(Workbench(ProjectFolder(found.folder), open_store(found.folder))) as workbench:
        with pytest.raises(FeaturesMissing):
            workbench.tuning.prepare(file)
        workbench.features.encode(workers=0)
        with pytest.raises(NothingToImport, match="pool has no image"):
            workbench.tuning.prepare(file)
        workbench.images.add(pictures / "pool")
        with pytest.raises(FeaturesMissing):
            workbench.tuning.prepare(file, views=None)
        # With views, the images themselves are read.
        assert workbench.tuning.prepare(file, views=VIEWS, most=1).run().answered == 1
