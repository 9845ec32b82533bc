"""A rendition has the pixels of the model, apart from the resizing, whatever the file is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from alworkbench.inputs import decode_limits
from alworkbench.inputs.picture import DisplayImage, Undecodable, read_image
from alworkbench.inputs.rendition import (
    LONGEST,
    SIDES,
    JpegQuality,
    make_rendition,
    media_type,
    rendition_size,
)
from tests.inputs.test_picture import GOLDEN, exif, pixels, saved, scene

SMALL = 12
"""A side below that of the golden files, 24 x 16."""


@pytest.fixture(autouse=True)
def a_small_side(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SIDES, SMALL, JpegQuality(95, "4:4:4"))


def on_white(image: DisplayImage) -> np.ndarray:
    """What a browser draws on a white page. It turns a JPEG upright; no other file may need that."""
    with Image.open(io.BytesIO(image.data)) as opened:
        assert Image.MIME[opened.format or ""] == image.media_type
        assert not opened.info.get("icc_profile")
        drawn = ImageOps.exif_transpose(opened) if opened.format == "JPEG" else opened
        assert drawn.getexif().get(0x0112, 1) == 1
        white = Image.new("RGBA", drawn.size, "white")
        return pixels(Image.alpha_composite(white, drawn.convert("RGBA")))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_full_size_on_white_has_the_pixels_of_the_model(name: str):
    image, itself = make_rendition(GOLDEN[name], None)
    assert np.abs(on_white(image) - pixels(read_image(GOLDEN[name]))).max() <= 1
    assert itself == (image.data == GOLDEN[name])


@pytest.mark.parametrize("name", GOLDEN)
def test_a_small_rendition_is_the_picture_of_the_model_resized(name: str):
    seen = read_image(GOLDEN[name])
    image, itself = make_rendition(GOLDEN[name], SMALL)
    size = rendition_size(*seen.size, SMALL)
    found = on_white(image)
    assert not itself
    assert found.shape[1::-1] == size
    wanted = pixels(seen.resize(size, Image.Resampling.HAMMING))
    assert np.abs(found - wanted).mean() <= 3.0
    if image.media_type == "image/png":  # with transparency: lossless, up to the rounding of 8 bits
        assert np.abs(found - wanted).max() <= 3
    assert make_rendition(GOLDEN[name], SMALL)[0] == image


def test_a_turned_jpeg_is_served_as_it_is_and_no_other_turned_file():
    for turn in range(1, 9):
        data = GOLDEN[f"exif-{turn}.jpg"]
        assert make_rendition(data, None) == (DisplayImage("image/jpeg", data), True)
        assert make_rendition(GOLDEN[f"exif-{turn}.webp"], None)[1] == (turn == 1)


@pytest.mark.parametrize("name", ["alpha.png", "grey-alpha.png", "alpha.webp", "palette-alpha.png"])
@pytest.mark.parametrize("side", [None, SMALL])
def test_transparency_is_kept_at_every_size(name: str, side: int | None):
    image, _ = make_rendition(GOLDEN[name], side)
    with Image.open(io.BytesIO(image.data)) as drawn:
        least, most = drawn.convert("RGBA").getchannel("A").getextrema()
    assert (least < 128, most) == (True, 255)


def test_transparency_that_hides_nothing_costs_nothing():
    opaque = scene().convert("RGBA")
    assert make_rendition(saved(opaque, "PNG"), SMALL)[0].media_type == "image/jpeg"


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("side", [256, 1024])
def test_a_large_jpeg_of_any_orientation_is_decoded_at_a_part_of_its_size(turn: int, side: int):
    large = scene().resize((1830, 1220), Image.Resampling.BICUBIC)
    data = saved(large, "JPEG", quality=92, exif=exif(turn))
    seen = read_image(data)
    size = rendition_size(*seen.size, side)
    found = on_white(make_rendition(data, side)[0])
    assert found.shape[1::-1] == size
    wanted = pixels(seen.resize(size, Image.Resampling.HAMMING))
    assert np.abs(found - wanted).mean() <= 2.0


def test_a_jpeg_that_is_too_large_is_resized_from_the_pixels_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
):
    data = saved(scene().resize((640, 320)), "JPEG", quality=95)
    monkeypatch.setattr(decode_limits, "MAX_PIXELS", 640 * 320 - 1)
    assert read_image(data).size == (320, 160)
    image, itself = make_rendition(data, None)
    assert not itself
    assert np.array_equal(on_white(image), pixels(read_image(data)))
    assert on_white(make_rendition(data, SMALL)[0]).shape[1::-1] == rendition_size(320, 160, SMALL)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("width", "height"),
    [
        (1, 1),
        (4000, 3000),
        (60, 3000),
        (5000, 80),
        (100_000, 10),
        (1, 60_000),
        (64, 64),
        (255, 257),
    ],
)
def test_a_rendition_has_a_bounded_number_of_pixels_and_the_shape_of_the_picture(
    width: int, height: int, side: int
):
    wide, high = rendition_size(width, height, side)
    scale = max(wide / width, high / height)
    assert 1 <= wide <= width
    assert 1 <= high <= height
    assert max(wide, high) <= LONGEST
    # Rounding adds at most half a pixel to each side.
    assert wide * high <= side * side + (wide + high) / 2 + 1 or min(wide, high) == 1
    assert abs(wide - width * scale) <= 1 or abs(high - height * scale) <= 1
    if width * height <= side * side and max(width, height) <= LONGEST:
        assert (wide, high) == (width, height)
    assert rendition_size(height, width, side) == (high, wide)
    assert rendition_size(width, height, None) == (width, height)


def test_the_short_side_of_an_extreme_shape_stays_readable():
    assert rendition_size(60, 3000, 256) == (36, 1810)
    assert rendition_size(5000, 80, 256) == (2024, 32)
    assert rendition_size(60, 3000, 1024) == (60, 3000)


@pytest.mark.parametrize("side", [-1, 0, 255, 4096, 10**9])
def test_other_sides_are_refused(side: int):
    with pytest.raises(ValueError, match=rf"the side {side} is not one of .*256, 1024, 2048"):
        make_rendition(GOLDEN["rgb.png"], side)


def test_an_unusable_file_is_refused_with_its_code():
    with pytest.raises(Undecodable):
        make_rendition(GOLDEN["exif-1.jpg"][:-100], SMALL)


def test_the_media_type_is_known_by_the_first_bytes():
    for name in ("rgb.png", "exif-1.jpg", "alpha.png"):
        image, _ = make_rendition(GOLDEN[name], SMALL)
        assert media_type(image.data) == image.media_type
    for data in (b"", b"<svg/>", GOLDEN["animated.gif"]):
        assert media_type(data) is None
