"""Support sets on the command line: written, and checked with an exit code that a script can use."""

import json

import pytest

from alworkbench.inputs.picture import hash_file


@pytest.fixture
def manifest(workbench, answers, run, tmp_path):
    workbench.rounds.propose("random", 20)
    answers(workbench, 20)
    run("support-set", str(tmp_path / "set"), "-k", "2", "--order", "asked")
    return tmp_path / "set" / "support.json"


def test_the_exit_code_says_whether_a_support_set_still_holds(manifest, run):
    assert "are as the manifest says" in run("verify-support", str(manifest)).output
    assert json.loads(run("verify-support", str(manifest), "--json").stdout)["holds"]
    listed = json.loads(manifest.read_text())["images"]
    gone = listed[0]["path"]
    assert hash_file(manifest.parent / gone) == listed[0]["sha256"]
    (manifest.parent / gone).unlink()
    said = run("verify-support", str(manifest), ok=False)
    assert said.exit_code == 1
    assert f"missing: {gone}" in said.output
    assert f"1 of {len(listed)} images is no longer as the manifest says" in said.output
    told = run("verify-support", str(manifest), "--json", ok=False)
    assert told.exit_code == 1
    (found,) = json.loads(told.stdout)["findings"]
    assert (found["path"], found["drift"]) == (gone, "missing")
