"""Laws of the evidence: it equals what was measured, opens exactly its images, and says nothing of few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from alworkbench.core.domain import Answer, AnswerKind, JobKind, Role
from alworkbench.evaluation.confusions import Confusions
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.picture import hash_file
from alworkbench.project import calibration_evidence
from alworkbench.project import evidence as evidence_module
from alworkbench.project.evidence import Evidence
from alworkbench.project.evidence_images import EvidenceImages
from alworkbench.project.gallery_files import numbers
from alworkbench.project.image_query import (
    Against,
    EvidenceSet,
    ImageFilter,
    ImageQuery,
    read_query,
)
from alworkbench.project.workbench import Workbench
from tests.making_project import (
    NAMES,
    Project,
    answering,
    closing,
    copied,
    make_project,
    picture,
)


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Path, Path, dict[str, str]]
) -> Iterator[Workbench]:
    """With a closed round of 12 images and its measurement."""
    project = make_project(tmp_path_factory.mktemp("evidence") / "project", made)
    with closing(project.open()) as workbench:
        workbench.rounds.propose("random", 12)
        answering(project)(workbench, 12)
        workbench.rounds.close()
        yield workbench


@pytest.mark.parametrize("source", EvidenceSet)
def test_errors_equal_the_report(measured: Workbench, source: EvidenceSet) -> None:
    found = measured.audit.evidence.confusions(source)
    report = measured.audit.report()
    recorded = report.audit[-1].values if source is EvidenceSet.AUDIT else report.leave_one_out
    assert found is not None
    assert recorded is not None
    assert found.accuracy == pytest.approx(recorded["accuracy"])
    assert found.interval == pytest.approx((recorded["accuracy_low"], recorded["accuracy_high"]))
    if source is EvidenceSet.AUDIT:
        assert found.images == report.audit[-1].audit_images
        assert {each.name: each.accuracy for each in found.by_class()} == recorded["per_class"]


def check_job(workbench: Workbench, source: EvidenceSet) -> None:
    """What a job stores equals the direct call, and a process that reads it computes nothing."""
    first, session = workbench.audit.evidence, workbench.session

    def another() -> Evidence:
        return Evidence(session, lambda: workbench.learners, lambda: workbench.predictions)

    direct, figures = first.images(source), first.calibration(source)
    assert another().waits(source) is not None
    first.compute(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Evidence, "_audit", None)
        patch.setattr(Evidence, "_left_out", None)
        patch.setattr(calibration_evidence, "calibration_evidence", None)
        reader = another()
        assert reader.waits(source, calibration=True) is None
        read = reader.images(source)
        assert reader.calibration(source) == figures
    assert direct is not None
    assert read is not None
    for field in fields(EvidenceImages):
        one, other = getattr(direct, field.name), getattr(read, field.name)
        assert np.array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


@pytest.mark.parametrize("source", EvidenceSet)
def test_a_job_stores_what_the_direct_call_gives(measured: Workbench, source: EvidenceSet) -> None:
    check_job(measured, source)
    assert measured.jobs.newest(1)[0].kind is JobKind.ERRORS


def cell(source: EvidenceSet, label: str, predicted: str) -> ImageQuery:
    """What a cell of the matrix opens, as a page sends it."""
    words = {"evidence": source.value, "classes": [label], "predicted": [predicted]}
    return read_query({"filter": words})


@pytest.mark.parametrize("source", EvidenceSet)
def test_each_cell_opens_exactly_its_images(measured: Workbench, source: EvidenceSet) -> None:
    """Whether or not predictions were stored for the gallery."""
    evidence = measured.audit.evidence.images(source)
    assert evidence is not None
    assert numbers(measured.session.folder, "scores") == []
    opened = {
        (label, said): set(measured.gallery.selected(cell(source, label, said)))
        for label in NAMES
        for said in NAMES
    }
    for i, label in enumerate(NAMES):
        for j, said in enumerate(NAMES):
            here = (evidence.labels == i) & (evidence.predicted == j)
            assert opened[label, said] == set(evidence.images[here].tolist())
    wrong = ImageFilter(evidence=source, prediction=Against.DIFFERS)
    found = measured.gallery.selected(ImageQuery(wrong))
    assert len(found) == evidence.confusions.images - evidence.confusions.right


def test_a_corrected_label_moves_its_image_to_another_cell(measured: Workbench) -> None:
    evidence = measured.audit.evidence
    before = evidence.images(EvidenceSet.AUDIT)
    assert before is not None
    assert evidence.images(EvidenceSet.AUDIT) is before  # kept while nothing changes
    image, was = int(before.images[0]), int(before.labels[0])
    now = (was + 1) % len(NAMES)
    new = before.classes.classes[now].id
    measured.labels.record(Answer("corrected-1", image, AnswerKind.CLASS, "later", class_id=new))
    after = evidence.images(EvidenceSet.AUDIT)
    assert after is not None
    said = NAMES[int(after.predicted[0])]
    assert image in measured.gallery.selected(cell(EvidenceSet.AUDIT, NAMES[now], said))
    assert image not in measured.gallery.selected(cell(EvidenceSet.AUDIT, NAMES[was], said))
    old = before.classes.classes[was].id
    measured.labels.record(Answer("corrected-2", image, AnswerKind.CLASS, "later", class_id=old))


def test_labels_and_answers_are_of_one_moment(
    measured: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers while the evidence is read."""
    evidence = measured.audit.evidence
    before = evidence.images(EvidenceSet.AUDIT)
    assert before is not None
    image, was = int(before.images[1]), int(before.labels[1])
    new, old = (before.classes.classes[k % len(NAMES)].id for k in (was + 1, was))
    measured.labels.record(Answer("moment-1", image, AnswerKind.CLASS, "later", class_id=new))
    known = evidence_module.learned_hashes

    def answered_meanwhile(*arguments: Any) -> frozenset[str]:
        measured.labels.record(Answer("moment-2", image, AnswerKind.CLASS, "later", class_id=old))
        return known(*arguments)

    monkeypatch.setattr(evidence_module, "learned_hashes", answered_meanwhile)
    found = evidence.images(EvidenceSet.AUDIT)
    assert found is not None
    assert int(found.labels[1]) == (was + 1) % len(NAMES)
    assert float(found.answers[1, found.labels[1]]) > 0
    monkeypatch.undo()
    now = evidence.images(EvidenceSet.AUDIT)
    assert now is not None
    assert now.labels.tolist() == before.labels.tolist()


def test_without_labels_there_is_no_evidence(kept_project: Project, tmp_path: Path) -> None:
    with closing(copied(kept_project, tmp_path / "new").open()) as workbench:
        assert workbench.audit.evidence.images(EvidenceSet.LEFT_OUT) is None
        before = workbench.audit.evidence.images(EvidenceSet.AUDIT)  # of the zero-shot model
        assert before is not None
        # An image has evidence as soon as it is encoded, though no record of the project changes.
        picture(tmp_path / "more" / NAMES[0] / "new.png", 900)
        workbench.images.add(tmp_path / "more", role=Role.AUDIT)
        first = workbench.audit.evidence.images(EvidenceSet.AUDIT)
        table = workbench.session.engine().table()
        folder = workbench.session.folder.features / workbench.session.encoder_record().id
        row = table.gather(torch.tensor([0]), torch.device("cpu"))
        with FeatureStore(folder).writer(dtype=row.activations.dtype) as writer:
            new = hash_file(tmp_path / "more" / NAMES[0] / "new.png")
            writer.add([Entry(new, "new.png")], row)
        then = workbench.audit.evidence.images(EvidenceSet.AUDIT)
        assert first is not None
        assert then is not None
        assert (len(first), len(then)) == (len(before), len(before) + 1)


def test_confusions_count_as_a_plain_loop_does() -> None:
    rng = np.random.default_rng(1)
    names = tuple(f"class {i}" for i in range(7))
    labels, said = rng.integers(0, 6, 200), rng.integers(0, 7, 200)
    found = Confusions.of(names, labels, said)
    plain = Counter(zip(labels.tolist(), said.tolist(), strict=True))
    assert {(i, j): int(n) for (i, j), n in np.ndenumerate(found.counts) if n} == plain
    assert found.right == sum(n for (i, j), n in plain.items() if i == j)
    pairs = found.pairs()
    assert {(p.label, p.predicted, p.images) for p in pairs} == {
        (names[i], names[j], n) for (i, j), n in plain.items() if i != j
    }
    assert [p.images for p in pairs] == sorted((p.images for p in pairs), reverse=True)
    classes = found.by_class()
    assert classes[6].accuracy is None  # a class without images has no figure
    assert classes[6].low is None
    for i, each in enumerate(classes[:6]):
        assert each.right == plain[i, i]
        assert (each.low, each.high) == wilson_interval(each.right, each.images)
        assert each.mistaken == max(n for (a, b), n in plain.items() if a == i and b != i)
    some = found.among((names[3], names[0]))
    assert some.counts.tolist() == [[plain[3, 3], plain[3, 0]], [plain[0, 3], plain[0, 0]]]
    worst = found.most_confused(3)
    assert len(worst) == 3
    assert {pairs[0].label, pairs[0].predicted} <= set(worst)


def test_few_images_have_no_figures(measured: Workbench) -> None:
    found = measured.audit.evidence.calibration()
    assert found is not None
    assert found.images < 30
    assert found.needed == 30 - found.images
    assert (found.before, found.after, found.sets, found.by_class) == (None, None, None, ())


def test_calibration_equals_the_report(made, tmp_path: Path) -> None:
    """With an audit set that is large enough for a temperature."""
    project = make_project(tmp_path / "large", made)
    with closing(project.open()) as workbench:
        workbench.audit.draw(20)
        answering(project)(workbench, 20)
        workbench.rounds.close()
        workbench.rounds.propose("random", 8)
        answering(project)(workbench, 8)
        record = workbench.rounds.close()
        with workbench.session.store.read() as reader:
            assert reader.images.count(Role.AUDIT) == 44
        found = workbench.audit.evidence.calibration()
        newest = workbench.measurements.all()[-1].values
        left = workbench.audit.evidence.calibration(EvidenceSet.LEFT_OUT)
        check_job(workbench, EvidenceSet.AUDIT)
        assert workbench.audit.evidence.calibration() is found  # kept while nothing changes
        # Another measurement of the same learner replaces the one before.
        last = workbench.measurements.all()[-1]
        fit = {**newest["temperature"]["fit"], "temperature": 3.0}
        values = {**newest, "temperature": {**newest["temperature"], "fit": fit}}
        with workbench.session.store.write() as writer:
            writer.computed.add_metrics(replace(last, values=values))
        assert workbench.audit.evidence.waits(EvidenceSet.AUDIT) is None
        assert workbench.audit.evidence.waits(EvidenceSet.AUDIT, calibration=True) is not None
        again = workbench.audit.evidence.calibration()
        assert again is not None
        assert again.in_use.temperature == 3.0
        with workbench.session.store.read() as reader:
            image = reader.images.ids_and_hashes(Role.POOL)[0][1]
        believed = workbench.cards.model(image).belief
        assert believed is not None
        assert believed.calibration.temperature == 3.0
        with workbench.session.store.write() as writer:
            writer.computed.add_metrics(last)
        believed = workbench.cards.model(image).belief
        assert believed is not None
        assert believed.calibration == found.in_use
    assert record is not None
    assert found is not None
    assert found.before is not None
    assert found.after is not None
    for name in ("nlpd", "brier", "ece", "ece_floor"):
        assert getattr(found.before, name) == pytest.approx(newest[name])
        assert getattr(found.after, name) == pytest.approx(newest["calibrated"][name])
    assert found.before.ece_interval == pytest.approx(newest["intervals"]["ece"])
    assert found.fit is not None
    assert found.in_use.temperature == found.fit.temperature
    assert found.fit.low <= found.fit.temperature <= found.fit.high
    assert sum(each.images for each in found.before.bins) == found.images == 44
    assert sum(each.images for each in found.by_class) == 44
    assert found.sets is not None
    assert found.sets.promised == pytest.approx(0.9)
    assert 1 <= found.sets.mean_size <= len(NAMES)
    assert left is not None
    assert left.needed == 22
