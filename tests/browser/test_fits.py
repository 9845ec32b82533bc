"""The law of words that fit finds what does not, also below a shadow root, and nothing else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser import fits

pytestmark = pytest.mark.browser

FITTING = """
<div style="width: 300px; overflow: hidden">Soft labels</div>
<p style="width: 8em">The target is 90.0&nbsp;%, and not 3 images</p>
<div style="width: 40px; overflow-x: auto; white-space: nowrap">A wide table scrolls</div>
<p style="position: absolute; width: 1px; height: 1px; overflow: hidden">For the ear</p>
"""
CUT = (
    '<div style="width: 40px; overflow: hidden; white-space: nowrap"><span>Soft labels</span></div>'
)
PARTED = '<p style="width: 2em">90.0 %</p>'


def test_cut_words_and_parted_numbers_are_found(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content(FITTING)
    assert fits.misfits(page) == []
    page.set_content(FITTING + CUT + PARTED + '<input style="width: 40px" value="A long path">')
    found = ["cut: Soft labels", "parted: 90.0 % in 90.0 %", "cut: A long path"]
    assert fits.misfits(page) == found
    page.set_content('<div id="host"></div>')
    page.evaluate(
        "html => document.querySelector('#host').attachShadow({ mode: 'open' }).innerHTML = html",
        CUT + PARTED,
    )
    assert fits.misfits(page) == found[:2]
    page.close()
