"""Roles travel with labels, change on purpose only, and nothing that taught a learner measures it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alworkbench.core.domain import ProjectFolder, Role, RoleMismatch
from alworkbench.core.errors import (
    ContradictingLabels,
    DifferentRoles,
    ImageAsked,
    ImageNotFound,
    UnconfirmedRoleChange,
)
from alworkbench.project.measurements import audit_truth
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.campaign import read_campaign
from alworkbench.simulation.replay import replay
from store import memory_store
from tests.making_project import AUDIT, Project, picture
from tests.store.making import CLASSES, NOW, SETTINGS, content, import_pictures


@pytest.fixture
def both(tmp_path: Path) -> Workbench:
    """A project with the pool images 1 to 3 and the audit images 4 to 6, without labels."""
    return project_of(tmp_path / "both", 3)


def project_of(folder: Path, pool: int) -> Workbench:
    store = memory_store(SETTINGS, CLASSES, NOW)
    import_pictures(store, pool)
    import_pictures(store, 6, Role.AUDIT)
    return Workbench(ProjectFolder(folder), store)


def roles(workbench: Workbench) -> dict[str, Role]:
    with workbench.session.store.read() as reader:
        return {c: role for role in Role for _, c in reader.images.ids_and_hashes(role)}


def labels(workbench: Workbench, role: Role) -> set[str]:
    """Content hashes of the labelled images of a set."""
    with workbench.session.store.read() as reader:
        hash_of = dict(reader.images.ids_and_hashes(role))
        return {hash_of[image] for image in reader.labels.current(role)}


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["image,label,role", *rows]) + "\n")
    return path


# ----------------------------------------------------------------------------------------- label files


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
@pytest.mark.parametrize("mismatch", list(RoleMismatch))
def test_labels_of_the_audit_set_teach_another_project_only_if_told(
    both: Workbench, tmp_path: Path, name: str, mismatch: RoleMismatch
) -> None:
    rows = [f"{content(n)},cat," for n in (1, 4, 5)]
    both.labels.import_file(table(tmp_path / "in.csv", *rows), "ann")
    both.labels.export(tmp_path / name)
    other = project_of(tmp_path / "other", 6)  # the same photos, all of them pool
    if mismatch is RoleMismatch.REFUSE:
        said = r"2 images another role.*line [23]: audit, here pool"
        with pytest.raises(DifferentRoles, match=said):
            other.labels.import_file(tmp_path / name, "bob")
        assert labels(other, Role.POOL) == set()
        return
    done = other.labels.import_file(tmp_path / name, "bob", mismatch)
    audit = {content(4), content(5)}
    kept = {content(1)} | (audit if mismatch is RoleMismatch.KEEP else set())
    assert labels(other, Role.POOL) == kept
    assert labels(other, Role.AUDIT) == (audit if mismatch is RoleMismatch.CHANGE else set())
    assert done.moved == (2 if mismatch is RoleMismatch.CHANGE else 0)
    assert done.left_out == (2 if mismatch is RoleMismatch.LEAVE_OUT else 0)
    again = other.labels.import_file(tmp_path / name, "bob", mismatch)
    assert (again.recorded, again.moved) == (0, 0)


def test_a_file_without_roles_says_nothing_about_them(both: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"image,label\n{content(1)},cat\n{content(4)},dog\n")
    assert both.labels.import_file(path, "ann").recorded == 2
    assert (labels(both, Role.POOL), labels(both, Role.AUDIT)) == ({content(1)}, {content(4)})


def test_two_roles_for_one_image_in_one_file_are_refused(both: Workbench, tmp_path: Path) -> None:
    path = table(tmp_path / "in.csv", f"{content(1)},cat,pool", f"{content(1)},cat,audit")
    with pytest.raises(ContradictingLabels, match=r"different roles: 'pool' \(line 2\), 'audit'"):
        both.labels.import_file(path, "ann", RoleMismatch.CHANGE)


# ---------------------------------------------------------------------------------- changes on purpose


def test_a_change_of_roles_is_all_or_nothing_and_kept(both: Workbench) -> None:
    before = roles(both)
    with pytest.raises(ImageNotFound):
        both.roles.change([content(1), content(9)], Role.AUDIT)
    assert roles(both) == before
    done = both.roles.change([content(1), content(4), "2.png", content(1)], Role.AUDIT)
    assert (len(done.images), done.known, done.labelled, done.learned) == (2, 1, (), ())
    assert roles(both) == {content(n): Role.POOL if n == 3 else Role.AUDIT for n in range(1, 7)}
    both.roles.change([content(1)], Role.POOL)
    with both.session.store.read() as reader:
        changes = reader.images.role_changes()
    assert [(c.image_id, c.former, c.role) for c in changes] == [
        (1, Role.POOL, Role.AUDIT),
        (2, Role.POOL, Role.AUDIT),
        (1, Role.AUDIT, Role.POOL),
    ]


def test_labels_that_will_teach_are_counted_and_need_a_yes(both: Workbench, tmp_path: Path) -> None:
    both.labels.import_file(table(tmp_path / "in.csv", f"{content(4)},cat,audit"), "ann")
    with pytest.raises(
        UnconfirmedRoleChange, match=r"learns from the labels of 1 of them: .*4.png"
    ):
        both.roles.change([content(4), content(5)], Role.POOL)
    assert roles(both)[content(5)] is Role.AUDIT
    both.roles.change([content(4), content(5)], Role.POOL, confirmed=True)
    with both.session.store.read() as reader:
        assert taught_labels(reader, reader.classes.current()).images == (4,)
        assert len(reader.labels.all()) == 1


def test_labels_that_have_taught_are_counted_need_a_yes_and_replay(
    workbench: Workbench, answers, project: Project
) -> None:
    opened = workbench.rounds.propose()
    items = workbench.rounds.items(opened.id)
    hashes = [workbench.images.get(item.image_id).hash for item in items]
    with pytest.raises(ImageAsked, match="alworkbench close"):
        workbench.roles.change(hashes[:1], Role.AUDIT, confirmed=True)
    answers(workbench, 5)
    measured = workbench.rounds.close()
    assert measured.audit_images == AUDIT
    with pytest.raises(UnconfirmedRoleChange, match=r"learned from the labels of 2 of them: "):
        workbench.roles.change(hashes[:2], Role.AUDIT)
    with pytest.raises(UnconfirmedRoleChange):
        import_checked(workbench, project, hashes[:2], RoleMismatch.CHANGE)
    done = workbench.roles.change(hashes[:2], Role.AUDIT, confirmed=True)
    assert len(done.learned) == 2
    # The learner that has learned from them is not measured on them, the zero-shot model is.
    workbench.learners.measure_all()
    sizes = {m.learner_id is None: m.audit_images for m in workbench.measurements.all()}
    assert sizes == {True: AUDIT + 2, False: AUDIT}
    again = workbench.learners.learn()
    assert (again.labels, again.audit_images) == (3, AUDIT + 2)
    with workbench.session.store.read() as reader:
        assert set(hashes[:2]) <= set(audit_truth(reader, reader.classes.current()))
        campaign = read_campaign(reader)
    assert [role for c, role in campaign.images if c in hashes] == [Role.POOL] * 5
    found = replay(workbench, memory_store)
    assert (found.difference, found.learners) == (None, 2)


# --------------------------------------------------------------------------------------------- imports


def import_checked(
    workbench: Workbench, project: Project, hashes: list[str], mismatch: RoleMismatch
) -> object:
    """Copies of these pictures, in a folder for each class, imported as an audit set."""
    tree = project.folder.parent / "checked"
    shutil.rmtree(tree, ignore_errors=True)
    for n, content_hash in enumerate(hashes):
        with workbench.session.store.read() as reader:
            place = reader.images.by_hash(content_hash).paths[0]
        folder = tree / project.truth[content_hash]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, folder / f"{n}.png")
    picture(tree / "ant" / "new.png", 12345)
    return workbench.images.add(tree, role=Role.AUDIT, roles=mismatch)


@pytest.mark.parametrize("mismatch", list(RoleMismatch))
def test_an_audit_import_of_pool_images_does_what_it_is_told(
    workbench: Workbench, project: Project, mismatch: RoleMismatch
) -> None:
    with workbench.session.store.read() as reader:
        hashes = [c for _, c in reader.images.ids_and_hashes(Role.POOL)][:3]
    before = roles(workbench)
    if mismatch is RoleMismatch.REFUSE:
        with pytest.raises(DifferentRoles, match=r"3 images another role.*\(audit, here pool\)"):
            import_checked(workbench, project, hashes, mismatch)
        assert roles(workbench) == before
        return
    done = import_checked(workbench, project, hashes, mismatch)
    changed = mismatch is RoleMismatch.CHANGE
    assert (done.new, done.moved) == (1, 3 if changed else 0)
    assert (done.labelled, done.left_out) == ((4, 0) if changed else (1, 3))
    assert {roles(workbench)[c] for c in hashes} == {Role.AUDIT if changed else Role.POOL}
    assert labels(workbench, Role.POOL) == set()


def test_labels_of_the_pool_do_not_become_labels_of_the_audit_set(
    workbench: Workbench, project: Project
) -> None:
    place = next(Path(project.features).parent.glob("audit/*/*.png"))
    tree = project.folder.parent / "tree"
    (tree / "dog").mkdir(parents=True)
    shutil.copy(place, tree / "dog")
    with pytest.raises(DifferentRoles, match=r"\(pool, here audit\)"):
        workbench.images.add(tree, pool_labels=True)
    assert workbench.images.add(tree).duplicates == 1  # without labels it says nothing of roles
