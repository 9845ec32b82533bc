"""Scans of a JPEG are counted from its markers, and a file with far too many is refused before decoding."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alworkbench.core.domain import QuarantineCode, QuarantinedFile
from alworkbench.inputs import decode_limits, picture
from alworkbench.inputs.jpeg_scans import NEXT_MARKER, count_scans
from alworkbench.inputs.sources import read_source


def jpeg(**options) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def repeated(data: bytes, times: int) -> bytes:
    """The file with its last scan that many more times."""
    start = data.rindex(b"\xff\xda")
    header = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    end = NEXT_MARKER.search(data, header).start()
    return data[:end] + data[start:end] * times + data[end:]


def test_a_baseline_file_has_one_scan_and_a_progressive_file_about_ten():
    assert count_scans(jpeg()) == 1
    assert 6 <= count_scans(jpeg(progressive=True)) <= 12
    assert count_scans(jpeg(restart_marker_blocks=2)) == 1


@pytest.mark.parametrize("times", [1, 7, 1500])
def test_repeated_scans_are_counted_and_bytes_outside_of_the_picture_are_not(times: int):
    plain = jpeg(progressive=True)
    many = repeated(plain, times)
    assert count_scans(many) == count_scans(plain) + times
    comment = jpeg(progressive=True, comment=b"\xff\xda" * 50)
    assert count_scans(comment + plain * 3) == count_scans(plain)


def test_any_bytes_are_counted_in_bounded_steps():
    data = jpeg(progressive=True)
    for cut in range(0, len(data), 7):
        assert 0 <= count_scans(data[:cut]) <= count_scans(data)
    assert count_scans(b"\xff" * 1000) == count_scans(b"\xff\xd8" + bytes(1000)) == 0


def test_a_picture_with_too_many_scans_is_refused(monkeypatch: pytest.MonkeyPatch):
    plain = jpeg(progressive=True)
    scans = count_scans(plain)
    monkeypatch.setattr(decode_limits, "MAX_SCANNED", scans * 40 * 48)
    assert picture.read_image(plain).size == (48, 40)
    with pytest.raises(picture.Undecodable, match=f"{scans + 1} scans") as refused:
        picture.read_image(repeated(plain, 1))
    assert refused.value.code is QuarantineCode.BOMB


def test_links_that_lead_to_themselves_are_set_aside(tmp_path: Path):
    (tmp_path / "good.jpg").write_bytes(jpeg())
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "one.jpg").symlink_to("two.jpg")
    (tmp_path / "two.jpg").symlink_to("one.jpg")
    (tmp_path / "folder").symlink_to("folder")
    found = list(read_source(tmp_path).read())
    refused = {each.path: each.detail for each in found if isinstance(each, QuarantinedFile)}
    assert refused.keys() == {"self.jpg", "one.jpg", "two.jpg", "folder"}
    assert set(refused.values()) == {"a link that leads to itself"}
    manifest = tmp_path / "list.csv"
    manifest.write_text("path\ngood.jpg\nself.jpg\n")
    assert len(list(read_source(manifest).read())) == 2
