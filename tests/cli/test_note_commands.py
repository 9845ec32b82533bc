"""`alworkbench note`, `flag`, `notes` and `gallery --flagged` do what the service does."""

from __future__ import annotations

import json

from alworkbench.core.errors import ImageNotFound
from tests.making_project import Project, closing


def test_notes_and_flags_are_written_listed_and_exported(run, project: Project, tmp_path) -> None:
    with closing(project.open()) as workbench:
        images = workbench.gallery.page(limit=3).images
    first, second, third = (image.path for image in images)
    assert "The note is kept" in run("note", first, "[red]two birds", "--by", "Ada [x]").stdout
    assert "2 images are flagged" in run("flag", second, third, "--reason", "blurred").stdout
    assert "1 image is no longer flagged" in run("flag", third, "--remove").stdout
    told = run("notes").stdout
    assert "Ada [x]: [red]two birds" in told
    assert "blurred" in told
    found = json.loads(run("notes", "--json").stdout)
    assert [(len(each["notes"]), each["flagged"], len(each["flags"])) for each in found] == [
        (1, False, 0),
        (0, True, 1),
        (0, False, 2),
    ]
    flagged = json.loads(run("notes", "--flagged", "--json").stdout)
    assert [each["hash"] for each in flagged] == [images[1].hash]
    for option, hash_ in (("--flagged", images[1].hash), ("--noted", images[0].hash)):
        page = json.loads(run("gallery", option, "--json").stdout)
        assert [each["hash"] for each in page["images"]] == [hash_]


def test_what_cannot_be_noted_is_said(run) -> None:
    assert "No image has a note or a flag" in run("notes").stdout
    assert "No image is flagged" in run("notes", "--flagged").stdout
    assert isinstance(run("note", "nowhere.jpg", "x", ok=False).exception, ImageNotFound)
    assert run("flag", ok=False).exit_code == 2
