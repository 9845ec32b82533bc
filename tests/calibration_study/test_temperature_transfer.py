"""A temperature carried from one data set to another: what it may change, and what it may not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch

from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.adaptation.temperature_record import ProbabilityPath
from alworkbench.calibration_study.labelled_logits import LabelledLogits
from alworkbench.calibration_study.record_file import read_record, write_record
from alworkbench.calibration_study.temperature_transfer import (
    fit_samples,
    stand_apart,
    transfer,
)
from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import TemperatureMismatch, TooFewLabels, UnreadableSource
from tests.factories import generator, normal

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(seed=0, count=200, classes=4, heat=3.0, first=0, prefix="class"):
    """Images of a model that is `heat` times too sure of itself."""
    logits = 2 * normal(seed, count, classes)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator(seed + 50))[:, 0]
    names = ClassList(tuple(LabelClass(f"{prefix} {k}") for k in range(classes)))
    hashes = tuple(f"{first + k:064d}" for k in range(count))
    return LabelledLogits(
        f"{prefix} set", "model", ProbabilityPath.PLAIN, names, hashes, heat * logits, labels
    )


def carried(source, target, images=50, repeats=1, seed=0, **options):
    return transfer(fit_samples(source, images, repeats, seed, NOW), target, seed=seed, **options)


SOURCE, TARGET = made(), made(1, classes=6, first=1000, prefix="other")


def test_a_data_set_carried_to_itself_has_the_fitted_temperature():
    found = carried(SOURCE, SOURCE, images=len(SOURCE))
    fit = fit_temperature(SOURCE.logits, SOURCE.labels)
    uncalibrated, transferred, oracle = found.rows
    assert transferred.temperature.value == pytest.approx(fit.temperature)
    assert transferred.temperature == oracle.temperature
    assert transferred.figures.nlpd.value == pytest.approx(fit.nlpd_after)
    assert uncalibrated.figures.nlpd.value == pytest.approx(fit.nlpd_before)
    assert found.over_oracle.value <= 1e-9  # it was fitted to the images that it is measured on


def test_the_truth_is_carried_to_other_classes():
    found = carried(SOURCE, TARGET, images=len(SOURCE))
    assert found.rows[1].temperature.low < 3 < found.rows[1].temperature.high
    assert found.over_uncalibrated.high < 0
    assert found.over_oracle.low < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_the_accuracy_is_the_same_in_all_rows(seed):
    found = carried(SOURCE, TARGET, seed=seed)
    assert len({row.figures.accuracy for row in found.rows}) == 1


def test_the_rows_differ_by_the_paired_differences():
    found = carried(SOURCE, TARGET)
    uncalibrated, transferred, oracle = (row.figures.nlpd.value for row in found.rows)
    assert found.over_uncalibrated.value == pytest.approx(transferred - uncalibrated)
    assert found.over_oracle.value == pytest.approx(transferred - oracle)
    assert found.draws[0].nlpd == pytest.approx(transferred)


def test_the_order_of_the_images_says_nothing_about_the_folds_of_the_oracle():
    """Folds that are taken in turn would hold one class each."""
    count = 200
    turn = torch.arange(count) % 5
    data = replace(
        made(3, count, classes=5),
        labels=turn,
        logits=2 * torch.eye(5).double()[turn] + normal(3, count, 5),
    )
    expected = fit_temperature(data.logits, data.labels)
    oracle = carried(SOURCE, data).rows[2]
    assert oracle.figures.nlpd.value == pytest.approx(expected.nlpd_after, rel=0.05)


def test_a_factor_on_all_logits_is_taken_up_by_the_temperature():
    """But for the weak prior, which says little beside 3,000 images."""

    def rows(factor):
        source, target = (
            made(seed, 3000, heat=factor / 1.5, prefix=prefix, first=first)
            for seed, prefix, first in ((0, "class", 0), (1, "other", 3000))
        )
        return carried(source, target, images=3000).rows

    plain, larger = rows(1.0), rows(2.25)
    for one, other in zip(plain[1:], larger[1:], strict=True):
        assert other.temperature.value == pytest.approx(2.25 * one.temperature.value, rel=2e-3)
        assert other.figures.nlpd.value == pytest.approx(one.figures.nlpd.value, abs=1e-4)
        # The little that the prior says may carry images over the edge of a bin.
        assert other.figures.ece.value == pytest.approx(one.figures.ece.value, abs=5e-3)
        assert other.figures.brier.value == pytest.approx(one.figures.brier.value, abs=1e-3)


def test_a_seed_gives_the_same_result_and_another_seed_other_images():
    assert carried(SOURCE, TARGET, repeats=3) == carried(SOURCE, TARGET, repeats=3)
    assert carried(SOURCE, TARGET).draws == carried(SOURCE, TARGET, repeats=3).draws[:1]
    assert carried(SOURCE, TARGET, seed=1).draws != carried(SOURCE, TARGET).draws
    assert len({each.nlpd for each in carried(SOURCE, TARGET, repeats=3).draws}) == 3


@pytest.mark.parametrize(
    "change", [{"encoder_id": "another"}, {"path": ProbabilityPath.PROBIT}], ids=str
)
def test_another_model_is_refused_unless_forced(change):
    target = replace(TARGET, **change)
    with pytest.raises(TemperatureMismatch):
        carried(SOURCE, target)
    forced = carried(SOURCE, target, force=True)
    assert any("another model" in warning for warning in forced.warnings)
    assert forced.rows == carried(SOURCE, TARGET).rows


def test_other_classes_are_applied_with_a_warning():
    assert any("other classes" in warning for warning in carried(SOURCE, TARGET).warnings)
    assert carried(SOURCE, SOURCE, images=100).warnings == ()


def test_an_image_in_both_data_sets_stands_on_one_side():
    half = made(2, first=100, prefix="other")  # its first 100 images are the last of SOURCE
    first, second = stand_apart(SOURCE, half, seed=0)
    assert not set(first.hashes) & set(second.hashes)
    assert set(first.hashes) | set(second.hashes) == set(SOURCE.hashes) | set(half.hashes)
    assert (len(first), len(second)) == (150, 150)
    rows = [half.hashes.index(each) for each in second.hashes]
    assert torch.equal(second.labels, half.labels[rows])
    assert stand_apart(SOURCE, TARGET, seed=0) == (SOURCE, TARGET)


def test_too_few_images_are_refused():
    with pytest.raises(TooFewLabels, match="at least 300 labelled images of class set"):
        carried(SOURCE, TARGET, images=300)
    with pytest.raises(TooFewLabels, match="at least 30 labelled images of other set"):
        carried(SOURCE, TARGET.only(torch.arange(20)))


def test_a_record_is_read_as_it_was_written(tmp_path):
    (record,) = fit_samples(SOURCE, 50, 1, 0, NOW)
    write_record(tmp_path / "t.json", record)
    assert read_record(tmp_path / "t.json") == record
    (tmp_path / "other.json").write_text("[1, 2]")
    for name in ("other.json", "missing.json"):
        with pytest.raises(UnreadableSource, match="holds no temperature"):
            read_record(tmp_path / name)
