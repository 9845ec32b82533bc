"""The set-up pages in Chromium over the real service: pictures are sent and imported, labels go out."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from alworkbench.api import open_project
from alworkbench.core.domain import Role
from tests.browser.conftest import RealProject
from tests.browser.desk import COOKIES
from tests.making_project import picture

pytestmark = pytest.mark.browser

JOB_MS = 90_000


def test_pictures_are_sent_looked_at_and_imported_over_a_reload_and_labels_go_out(
    chromium: Browser, real_project: RealProject, tmp_path: Path
) -> None:
    for k in (1, 2):
        picture(tmp_path / f"new-{k}.png", k)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    files = sorted(str(each) for each in tmp_path.glob("*.png"))

    def images() -> int:
        with real_project.reading() as reader:
            return sum(reader.images.count(role) for role in Role)

    before = images()
    context = chromium.new_context(viewport={"width": 800, "height": 1000}, color_scheme="dark")
    context.add_cookies(COOKIES[real_project.url])  # type: ignore[arg-type]
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    page.goto(f"{real_project.url}/import", timeout=60_000)
    page.get_by_text("Files of this computer").click(timeout=60_000)
    arriving: list[Route] = []
    page.route("**/upload_file/**", lambda route: arriving.append(route))
    look = page.get_by_role("button", name="Look at it")
    expect(look).to_be_disabled()
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_text("broken.png")).to_be_visible()
    while len(arriving) < len(files):
        page.wait_for_timeout(50)
    expect(look).to_be_disabled()  # a press now would find no files
    for each in arriving:
        each.continue_()
    look.click()
    do_it = page.get_by_role("button", name="Import", exact=True)
    expect(do_it).to_be_visible(timeout=JOB_MS)
    assert images() == before
    page.reload()
    expect(page.get_by_text("3 files: 2 new images")).to_be_visible(timeout=60_000)
    do_it.click()
    expect(page.get_by_role("button", name="Encode 2 images")).to_be_visible(timeout=JOB_MS)
    assert images() == before + 2
    with page.expect_download() as kept:
        page.get_by_role("button", name="Download what was left out (CSV)").click()
    assert "broken.png,unidentified" in Path(kept.value.path()).read_text(encoding="utf-8")

    page.goto(f"{real_project.url}/export", timeout=60_000)
    with page.expect_download(timeout=60_000) as exported:
        page.get_by_role("link", name="Download").click(timeout=60_000)
    with open_project(real_project.folder) as workbench:
        workbench.labels.export(tmp_path / "expected.csv")
    assert exported.value.suggested_filename == "labels.csv"
    assert Path(exported.value.path()).read_bytes() == (tmp_path / "expected.csv").read_bytes()

    for name in ("import", "export", "support-set", "settings"):
        page.goto(f"{real_project.url}/{name}", timeout=60_000)
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert errors == []
    context.close()
