"""`alworkbench role` changes roles on purpose; label and import take what to do about roles."""

from __future__ import annotations

import json
from pathlib import Path

from alworkbench.core.domain import Role
from alworkbench.core.errors import NothingAnswered, UnconfirmedRoleChange
from tests.making_project import AUDIT, POOL, closing


def test_roles_change_by_name_and_by_file_and_back_with_a_yes(run, project, tmp_path: Path) -> None:
    with closing(project.open()) as workbench, workbench.session.store.read() as reader:
        pool = [c for _, c in reader.images.ids_and_hashes(Role.POOL)]
    listed = tmp_path / "checked.csv"
    listed.write_text("\n".join(["image", *pool[1:3]]) + "\n")
    done = json.loads(run("role", "audit", pool[0], "--from", str(listed), "--json").stdout)
    assert (len(done["images"]), done["known"]) == (3, 0)
    status = json.loads(run("status", "--json").stdout)
    assert (status["pool_images"], status["audit_images"]) == (POOL - 3, AUDIT + 3)
    out = tmp_path / "labels.csv"
    run("export", str(out))
    assert {row.split(",")[4] for row in out.read_text().splitlines()} == {"role", "audit"}
    refused = run("role", "pool", "--from", str(out), ok=False)
    assert isinstance(refused.exception, UnconfirmedRoleChange)
    assert f"labels of {AUDIT} of them" in str(refused.exception)
    run("role", "pool", "--from", str(out), "--yes")
    assert json.loads(run("status", "--json").stdout)["labels"] == AUDIT
    assert run("role", "pool", ok=False).exit_code == 2


def test_closing_without_an_answer_needs_force(run) -> None:
    run("propose")
    assert isinstance(run("close", ok=False).exception, NothingAnswered)
    assert "Learned from 0 labels" in run("close", "--force").stdout
