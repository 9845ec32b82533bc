"""A recorded temperature: it survives JSON, and is applied only where it holds."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch

from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.adaptation.temperature_record import (
    HowDrawn,
    LogitSource,
    ProbabilityPath,
    TemperatureRecord,
    class_list_digest,
)
from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import TemperatureMismatch
from tests.factories import generator, normal

BIRDS = ClassList((LabelClass("owl"), LabelClass("jay"), LabelClass("tit")))
SOURCE = LogitSource("encoder-1", class_list_digest(BIRDS))
LOGITS = 3 * normal(0, 2000, 3)


def made(drawn=HowDrawn.RANDOM, **changes):
    labels = torch.multinomial((LOGITS / 3).softmax(-1), 1, generator=generator(1))[:, 0]
    fit = fit_temperature(LOGITS, labels)
    return TemperatureRecord(fit, SOURCE, drawn, datetime(2026, 1, 1, tzinfo=UTC), **changes)


def test_a_record_survives_json():
    for record in (made(), made(HowDrawn.LOGGED, learned_from=True)):
        text = json.dumps(record.record(), allow_nan=False)
        assert TemperatureRecord.from_record(json.loads(text)) == record


def test_an_infinite_standard_error_survives_json():
    fit = fit_temperature(torch.zeros(4, 3), torch.zeros(4, dtype=torch.long))
    record = replace(made(), fit=fit)
    text = json.dumps(record.record(), allow_nan=False)
    assert TemperatureRecord.from_record(json.loads(text)).fit.standard_error_log == math.inf


def test_the_same_model_is_scaled_without_a_warning():
    record = made()
    scaled = record.apply(LOGITS, SOURCE)
    assert torch.equal(scaled.logits, LOGITS / record.fit.temperature)
    assert scaled.warnings == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder_id": "encoder-2"}, "its encoder is encoder-1"),
        ({"learner": "7"}, "its learner is zero-shot"),
        ({"path": ProbabilityPath.PROBIT}, "its probability path is plain"),
    ],
)
def test_another_model_is_refused_unless_forced(change, words):
    record, other = made(), replace(SOURCE, **change)
    with pytest.raises(TemperatureMismatch, match=words):
        record.apply(LOGITS, other)
    forced = record.apply(LOGITS, other, force=True)
    assert torch.equal(forced.logits, LOGITS / record.fit.temperature)
    assert any(words in warning for warning in forced.warnings)


def test_another_class_list_is_scaled_with_a_warning():
    other = replace(SOURCE, class_list=class_list_digest(ClassList(BIRDS.classes[:2])))
    scaled = made().apply(LOGITS[:, :2], other)
    assert [warning for warning in scaled.warnings if "other classes or prompts" in warning]


def test_warnings_of_the_labels_are_carried_along():
    record = made(HowDrawn.CHOSEN, learned_from=True)
    assert any("recorded probabilities" in warning for warning in record.warnings)
    assert any("learned from the labels" in warning for warning in record.warnings)
    assert record.apply(LOGITS, SOURCE).warnings == record.warnings


def test_the_digest_follows_names_prompts_and_order():
    lists = [
        BIRDS,
        ClassList(BIRDS.classes[::-1]),
        ClassList(BIRDS.classes[:2]),
        ClassList((LabelClass("owl", ("{}",)), *BIRDS.classes[1:])),
    ]
    assert len({class_list_digest(each) for each in lists}) == 4
    assert class_list_digest(BIRDS) == class_list_digest(replace(BIRDS, id=5))


def test_a_record_that_is_not_whole_is_refused():
    whole = made().record()
    for name in whole:
        with pytest.raises(ValueError):
            TemperatureRecord.from_record({key: whole[key] for key in whole if key != name})
    with pytest.raises(ValueError, match="'guessed' is not a valid HowDrawn"):
        TemperatureRecord.from_record({**whole, "drawn": "guessed"})
