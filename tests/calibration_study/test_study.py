"""A comparison of calibrations: its rows are those of the plain parts, and labels choose nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file

from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.adaptation.temperature_record import ProbabilityPath
from alworkbench.api import load_context
from alworkbench.calibration_study.load_material import material_of_images, material_of_project
from alworkbench.calibration_study.material import StudyMaterial
from alworkbench.calibration_study.plan import CalibrationKind, PromptKind, StudySettings
from alworkbench.calibration_study.result import StudyResult
from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import EncoderMismatch, PromptsNotTunable, TooFewLabels, UnknownEncoder
from alworkbench.core.progress import silent
from alworkbench.encoders.loading import load_model
from alworkbench.evaluation.metrics import measure
from alworkbench.features.decode import Task, read_picture
from alworkbench.posterior.predictive import logit_moments, probit_logits
from alworkbench.project.workbench import Workbench
from alworkbench.prompts.tuning.objectives import C_TPT, TPT
from alworkbench.prompts.tuning.predictor import TuningPredictor
from alworkbench.prompts.tuning.view_features import TunableImage
from tests.calibration_study.study_project import (
    AUDIT,
    NAMES,
    SETTINGS,
    compared,
    labelled_project,
    material_of,
    prepared,
)
from tests.making_project import picture

PLAIN, PROBIT = CalibrationKind.PLAIN, CalibrationKind.PROBIT
FIXED = replace(SETTINGS, kinds=tuple(kind for kind in PromptKind if not kind.tuned))
TIMES = ("seconds", "seconds_known", "seconds_once", "tuning_seconds", "encoding_seconds")


def without_times(value: Any) -> Any:
    """A record without what changes from run to run."""
    if isinstance(value, Mapping):
        return {name: without_times(each) for name, each in value.items() if name not in TIMES}
    return [without_times(each) for each in value] if isinstance(value, list | tuple) else value


def test_every_kind_of_prompts_has_every_calibration(result: StudyResult) -> None:
    pairs = [(row.prompts, row.calibration) for row in result.rows]
    assert pairs == [(prompts, way) for prompts in PromptKind for way in CalibrationKind]
    assert result.images == result.labelled == AUDIT
    assert result.missing == ()


def test_plain_rows_measure_the_zero_shot_model(
    material: StudyMaterial, result: StudyResult
) -> None:
    sample = material.sample(SETTINGS.most, SETTINGS.seed)
    for way in (PLAIN, PROBIT):
        moments = logit_moments(sample.head, sample.posterior, sample.features, sample.present)
        plain = sample.head.logits(sample.features, sample.present)
        logits = probit_logits(moments) if way.probit else plain
        wanted = measure(logits.double().softmax(dim=-1), sample.labels)
        found = result.row(PromptKind.PRESENT, way).figures
        for name in ("accuracy", "nlpd", "brier", "ece"):
            assert getattr(found, name).value == pytest.approx(getattr(wanted, name))
        assert found.ece_floor == pytest.approx(wanted.ece_floor)


def test_the_present_prompts_can_be_the_single_prompt(material: StudyMaterial) -> None:
    """Then they have no rows of their own, unless they are asked for alone."""
    single = SETTINGS.single_template
    classes = ClassList(tuple(LabelClass(name, (single,)) for name in NAMES))
    same = replace(material, classes=classes)
    found = compared(same, FIXED)
    assert PromptKind.PRESENT not in found.kinds
    assert "they are the single prompt" in found.missing[0]
    alone = replace(SETTINGS, kinds=(PromptKind.PRESENT,))
    assert compared(same, alone).kinds == (PromptKind.PRESENT,)


def test_a_single_template_is_its_own_ensemble_and_choice(material: StudyMaterial) -> None:
    one = replace(FIXED, templates=(SETTINGS.single_template,))
    found = compared(material, one)
    for way in CalibrationKind:
        single, *others = (
            found.row(kind, way).figures.nlpd.value
            for kind in (PromptKind.SINGLE, PromptKind.ENSEMBLE, PromptKind.ATFD)
        )
        assert others == pytest.approx([single] * 2, rel=1e-5)
    assert found.correlation is None


@pytest.mark.parametrize(("kind", "objective"), [(PromptKind.TPT, TPT), (PromptKind.C_TPT, C_TPT)])
def test_tuned_rows_are_the_answers_of_prompt_tuning(
    material: StudyMaterial, result: StudyResult, kind: PromptKind, objective: Any
) -> None:
    sample = material.sample(SETTINGS.most, SETTINGS.seed)
    model = load_model("bundled", torch.device("cpu"))
    predictor = TuningPredictor(
        model.model, model.tokenize, model.preprocess, NAMES,
        objective=objective, views=SETTINGS.view_settings,
    )  # fmt: skip
    answers = torch.stack([each.probabilities for each in predictor.predict(sample.images)])
    wanted = measure(answers, sample.labels)
    found = result.row(kind, PLAIN).figures
    # The features of a project are kept in half precision.
    assert found.nlpd.value == pytest.approx(wanted.nlpd, abs=0.02)
    assert found.brier.value == pytest.approx(wanted.brier, abs=0.01)


def test_a_temperature_changes_no_accuracy(result: StudyResult) -> None:
    for kind in PromptKind:
        for before, after in (
            (PLAIN, CalibrationKind.TEMPERATURE),
            (PROBIT, CalibrationKind.PROBIT_TEMPERATURE),
        ):
            rows = result.row(kind, before), result.row(kind, after)
            assert rows[0].figures.accuracy == rows[1].figures.accuracy


def test_a_temperature_is_fitted_to_the_logits_that_it_scales(
    material: StudyMaterial, result: StudyResult
) -> None:
    sample = material.sample(SETTINGS.most, SETTINGS.seed)
    moments = logit_moments(sample.head, sample.posterior, sample.features, sample.present)
    row = result.row(PromptKind.PRESENT, CalibrationKind.PROBIT_TEMPERATURE)
    wanted = fit_temperature(probit_logits(moments).double(), sample.labels)
    assert row.temperature.fit.temperature == pytest.approx(wanted.temperature, rel=1e-6)
    assert row.temperature.source.path is ProbabilityPath.PROBIT
    assert row.temperature.source.class_list == result.class_list
    for each in result.rows:
        assert (
            (each.temperature is not None)
            == each.calibration.scaled
            == bool(each.fold_temperatures)
        )


def test_labels_do_not_choose_the_prompts(material: StudyMaterial) -> None:
    other = replace(material, labels=material.labels.roll(1))
    first, second = compared(material, FIXED), compared(other, FIXED)
    assert first.chosen.template == second.chosen.template
    assert first.chosen.atfd == second.chosen.atfd


def test_the_same_seed_gives_the_same_numbers(material: StudyMaterial, result: StudyResult) -> None:
    again = compared(material)
    assert without_times(again.record()) == without_times(result.record())
    other = compared(material, replace(SETTINGS, seed=1))
    assert without_times(other.record()) != without_times(result.record())


def test_a_larger_sample_contains_a_smaller_one(material: StudyMaterial) -> None:
    small, large = material.sample(31, 0), material.sample(35, 0)
    assert large.images[:31] == small.images
    with pytest.raises(TooFewLabels, match="at least 30"):
        material.sample(29, 0)


def test_a_picture_that_cannot_be_read_is_left_out_of_every_row(
    material: StudyMaterial, tmp_path: Path
) -> None:
    lost = partial(read_picture, Task("0" * 64, str(tmp_path / "lost.png")))
    images = (TunableImage("0" * 64, lost), *material.images[1:])
    found = compared(replace(material, images=images))
    assert found.images == AUDIT - 1
    assert [each.path for each in found.unreadable] == ["0" * 64]
    counts = {sum(b.images for b in row.figures.reliability) for row in found.rows}
    assert counts == {AUDIT - 1}


def test_an_interrupted_run_goes_on_from_its_views(
    material: StudyMaterial, tmp_path: Path, result: StudyResult
) -> None:
    fresh = replace(material, views=tmp_path / "views")
    study = prepared(fresh)
    assert study.cost().views == SETTINGS.views * (AUDIT + 20)

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "encoding views" and done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run(result.created_at, interrupt)
    again = prepared(fresh)
    assert again.cost().views == SETTINGS.views * (AUDIT - 10 + 20)
    found = again.run(result.created_at)
    assert without_times(found.record()) == without_times(result.record())


def test_a_tower_that_cannot_be_tuned_leaves_the_other_rows(tmp_path: Path) -> None:
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
    found = material_of(labelled_project(tmp_path, spec))
    rows = compared(found)
    assert rows.kinds == FIXED.kinds
    assert rows.missing[0].startswith("TPT and C-TPT are missing. ")
    assert "bidirectional" in rows.missing[0]
    with pytest.raises(PromptsNotTunable):
        prepared(found, StudySettings(kinds=(PromptKind.TPT,)))
    model.logit_scale.data += 1
    save_file(model.state_dict(), tmp_path / "twins.safetensors")
    with pytest.raises(EncoderMismatch):
        prepared(found)


def test_a_folder_of_images_is_compared_on_a_share_of_each_class(tmp_path: Path) -> None:
    for k in range(3 * 34):
        picture(tmp_path / "photos" / NAMES[k % 3] / f"{k}.png", k)
    context = load_context(tmp_path / "cache", "cpu", silent, lambda line: None)
    found = material_of_images(tmp_path / "photos", None, "bundled", context)
    assert len(found) == 30
    assert torch.bincount(found.labels).tolist() == [10, 10, 10]
    assert len(found.pool) == 72
    again = material_of_images(tmp_path / "photos", None, "bundled", context)
    assert torch.equal(again.labels, found.labels)
    assert compared(found, replace(FIXED, most=30)).images == 30


def test_features_of_a_file_have_no_model_to_compare(workbench: Workbench) -> None:
    with pytest.raises(UnknownEncoder, match="came from a file"):
        material_of_project(workbench)


def test_the_record_is_strict_json(result: StudyResult) -> None:
    found = json.loads(json.dumps(result.record(), allow_nan=False, default=str))
    assert len(found["rows"]) == len(result.rows)
    assert found["settings"]["templates"] == list(SETTINGS.templates)
    assert found["templates"]["chosen"] == result.chosen.template
