"""Pictures decode to the same pixels for people and model; no file does harm."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alworkbench.core.domain import QuarantineCode
from alworkbench.inputs import decode_limits
from alworkbench.inputs.decode_limits import MAX_PIXELS
from alworkbench.inputs.formats import formats
from alworkbench.inputs.picture import (
    Undecodable,
    display,
    hash_file,
    inspect_file,
    read_bytes,
    read_image,
)
from alworkbench.inputs.rendition import SIDES, make_rendition

WIDTH, HEIGHT = 24, 16


def scene() -> Image.Image:
    """A gradient with one marked corner, so that every turn and flip looks different."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([x * 10, y * 15, (x + y) * 6], axis=-1).astype(np.uint8)
    rgb[:4, :4] = (255, 0, 0)
    return Image.fromarray(rgb)


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(int)


def shown(path: Path) -> np.ndarray:
    """What a browser draws: it would apply an orientation, of which none may be left."""
    image = display(path)
    with Image.open(io.BytesIO(image.data)) as drawn:
        assert drawn.getexif().get(0x0112, 1) == 1
        assert Image.MIME[drawn.format or ""] == image.media_type
        assert not getattr(drawn, "is_animated", False)
        return pixels(drawn)


def transparent(mode: str) -> Image.Image:
    picture = scene().convert("RGBA" if mode == "RGBA" else "LA")
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (10, 0, 24, 16))
    picture.putalpha(alpha)
    return picture


def wide(dtype: type, top: float) -> Image.Image:
    return Image.fromarray(np.linspace(0, top, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(dtype))


def palette_with_transparency() -> bytes:
    picture = scene().quantize(16)
    return saved(picture, "PNG", transparency=picture.getpixel((0, 0)))


FRAMES = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("blue", "red", "green")]
GOLDEN = {
    "grey.png": saved(scene().convert("L"), "PNG"),
    "rgb.png": saved(scene(), "PNG"),
    "rgb.bmp": saved(scene(), "BMP"),
    "rgb.tiff": saved(scene(), "TIFF"),
    "lossless.webp": saved(scene(), "WEBP", lossless=True),
    "one-bit.png": saved(scene().convert("1"), "PNG"),
    "palette.png": saved(scene().quantize(16), "PNG"),
    "palette-alpha.png": palette_with_transparency(),
    "alpha.png": saved(transparent("RGBA"), "PNG"),
    "grey-alpha.png": saved(transparent("LA"), "PNG"),
    "alpha.webp": saved(transparent("RGBA"), "WEBP", lossless=True),
    "colour-key.png": saved(scene(), "PNG", transparency=(255, 0, 0)),
    "cmyk.jpg": saved(scene().convert("CMYK"), "JPEG", quality=95),
    "cmyk.tiff": saved(scene().convert("CMYK"), "TIFF"),
    "lab.tiff": saved(Image.new("LAB", (WIDTH, HEIGHT), (128, 140, 120)), "TIFF"),
    "16-bit.png": saved(wide(np.uint16, 65535), "PNG"),
    "16-bit.tiff": saved(wide(np.uint16, 65535), "TIFF"),
    "32-bit.tiff": saved(wide(np.int32, 1e6), "TIFF"),
    "float.tiff": saved(wide(np.float32, 1.0), "TIFF"),
    "animated.gif": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "animated.png": saved(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]),
    "animated.webp": saved(
        FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:], lossless=True
    ),
    "gamma.png": b"",  # made below: Pillow writes no gAMA
    "profile.jpg": saved(scene(), "JPEG", icc_profile=b"a profile of another colour space"),
}


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """The PNG with one more chunk after its header."""
    chunk = struct.pack(">I", len(content)) + kind + content
    chunk += struct.pack(">I", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


GOLDEN["gamma.png"] = with_chunk(GOLDEN["rgb.png"], b"gAMA", struct.pack(">I", 100_000))
for turn in range(1, 9):
    GOLDEN[f"exif-{turn}.jpg"] = saved(scene(), "JPEG", quality=95, exif=exif(turn))
    GOLDEN[f"exif-{turn}.png"] = saved(scene(), "PNG", exif=exif(turn))
    GOLDEN[f"exif-{turn}.tiff"] = saved(scene(), "TIFF", exif=exif(turn))
    GOLDEN[f"exif-{turn}.webp"] = saved(scene(), "WEBP", lossless=True, exif=exif(turn))


GOLDEN["still.avif"] = saved(scene(), "AVIF", quality=100, subsampling="4:4:4")
GOLDEN["alpha.avif"] = saved(transparent("RGBA"), "AVIF", quality=100)
GOLDEN["animated.avif"] = saved(FRAMES[0], "AVIF", save_all=True, append_images=FRAMES[1:])
GOLDEN["lossless.jp2"] = saved(scene(), "JPEG2000")
GOLDEN["lossless.j2k"] = saved(scene().convert("L"), "JPEG2000", no_jp2=True)
GOLDEN["16-bit.jp2"] = saved(wide(np.uint16, 65535), "JPEG2000")
formats()  # knows HEIF from now on
GOLDEN["still.heic"] = saved(scene(), "HEIF", quality=-1)
GOLDEN["turned.heic"] = saved(scene(), "HEIF", quality=-1, exif=exif(6).tobytes())


@pytest.mark.parametrize("name", GOLDEN)
def test_a_person_and_the_model_see_the_same_pixels(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(GOLDEN[name])
    seen = read_image(path)
    assert seen.mode == "RGB"
    assert np.array_equal(pixels(seen), shown(path))
    found = inspect_file(path)
    assert (found.width, found.height) == seen.size
    assert found.hash == hashlib.sha256(GOLDEN[name]).hexdigest() == hash_file(path)
    assert found.bytes == len(GOLDEN[name])


@pytest.mark.parametrize(
    ("name", "as_it_is"),
    [
        ("rgb.png", True),
        ("grey.png", True),
        ("lossless.webp", True),
        ("exif-1.jpg", True),
        ("exif-6.jpg", False),
        ("alpha.png", False),
        ("animated.png", False),
        ("profile.jpg", False),
        ("gamma.png", False),
        ("16-bit.png", False),
        ("rgb.bmp", False),
    ],
)
def test_a_file_is_served_as_it_is_only_if_a_browser_decodes_equal_pixels(
    tmp_path: Path, name: str, as_it_is: bool
):
    path = tmp_path / name
    path.write_bytes(GOLDEN[name])
    assert (display(path).data == GOLDEN[name]) == as_it_is


# Where the marked corner, top left in the file, belongs for each orientation (EXIF 2.32, 4.6.4).
CORNER = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}


@pytest.mark.parametrize("kind", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_is_applied_once(turn: int, kind: str):
    picture = read_image(GOLDEN[f"exif-{turn}.{kind}"])
    assert picture.size == ((WIDTH, HEIGHT) if turn <= 4 else (HEIGHT, WIDTH))
    at = {"t": 1, "b": picture.height - 2, "l": 1, "r": picture.width - 2}
    red = picture.getpixel((at[CORNER[turn][1]], at[CORNER[turn][0]]))
    assert np.abs(np.array(red) - (255, 0, 0)).max() < 40


def test_every_pixel_format_gives_the_intended_values():
    """Each kind of file is compared with the scene or ramp it was made from."""
    ramp = pixels(Image.fromarray(np.asarray(wide(np.float32, 255.0)).round().astype(np.uint8)))
    turned = pixels(scene().transpose(Image.Transpose.ROTATE_270))
    for name in ("16-bit.png", "16-bit.tiff", "32-bit.tiff", "float.tiff"):
        assert np.abs(pixels(read_image(GOLDEN[name])) - ramp).max() <= 1, name
    for name in ("rgb.png", "rgb.bmp", "rgb.tiff", "lossless.webp", "gamma.png", "lossless.jp2"):
        assert np.array_equal(pixels(read_image(GOLDEN[name])), pixels(scene())), name
    assert np.abs(pixels(read_image(GOLDEN["cmyk.tiff"])) - pixels(scene())).max() <= 1
    assert np.abs(pixels(read_image(GOLDEN["cmyk.jpg"])) - pixels(scene())).mean() <= 8
    for name in ("alpha.png", "alpha.webp", "grey-alpha.png"):
        picture = pixels(read_image(GOLDEN[name]))
        assert (picture[:, 10:] == 255).all(), name
        assert (picture[:, 5:10] < 255).all(), name
    assert np.abs(pixels(read_image(GOLDEN["16-bit.jp2"])) - ramp).max() <= 1
    for name in ("still.avif", "still.heic"):
        assert np.abs(pixels(read_image(GOLDEN[name])) - pixels(scene())).mean() <= 3, name
    assert np.abs(pixels(read_image(GOLDEN["turned.heic"])) - turned).mean() <= 3
    assert (pixels(read_image(GOLDEN["alpha.avif"]))[:, 12:] >= 250).all()
    assert np.abs(pixels(read_image(GOLDEN["animated.avif"])) - (0, 0, 255)).max() <= 3
    for name in ("palette-alpha.png", "colour-key.png"):
        assert (pixels(read_image(GOLDEN[name]))[0, 0] == 255).all(), name
    for name in ("animated.gif", "animated.png", "animated.webp"):
        assert (pixels(read_image(GOLDEN[name])) == (0, 0, 255)).all(), name


# --------------------------------------------------------------------------------------- bad files


def bomb(width: int, height: int) -> bytes:
    """A PNG of one grey: small on disk."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    png = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b"")):
        crc = struct.pack(">I", zlib.crc32(kind + content))
        png += struct.pack(">I", len(content)) + kind + content + crc
    return png


def nan_tiff() -> bytes:
    values = np.zeros((HEIGHT, WIDTH), np.float32)
    values[3, 3] = np.nan
    return saved(Image.fromarray(values), "TIFF")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EPS = saved(scene(), "EPS")


def rendition_of(path: Path) -> None:
    make_rendition(read_bytes(path), min(SIDES))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", QuarantineCode.UNIDENTIFIED),
        (b"not a picture", QuarantineCode.UNIDENTIFIED),
        (SVG, QuarantineCode.UNIDENTIFIED),
        (EPS, QuarantineCode.UNIDENTIFIED),
        (saved(scene(), "PPM"), QuarantineCode.UNIDENTIFIED),
        (GOLDEN["rgb.png"][:80], QuarantineCode.TRUNCATED),
        (GOLDEN["exif-1.jpg"][:-100], QuarantineCode.TRUNCATED),
        (GOLDEN["rgb.tiff"][:300], QuarantineCode.TRUNCATED),
        (GOLDEN["rgb.bmp"][:300], QuarantineCode.TRUNCATED),
        (bomb(13_000, 13_000), QuarantineCode.BOMB),
        (bomb(20_000, 20_000), QuarantineCode.BOMB),
        (bomb(MAX_PIXELS // 1000 + 1, 1000), QuarantineCode.BOMB),
        (nan_tiff(), QuarantineCode.NONFINITE),
    ],
    ids=lambda value: value.value if isinstance(value, QuarantineCode) else f"{len(value)}-bytes",
)
def test_an_unusable_picture_is_refused_with_its_code(
    tmp_path: Path, data: bytes, code: QuarantineCode
):
    path = tmp_path / "file.png"
    path.write_bytes(data)
    for use in (read_image, inspect_file, display, rendition_of):
        with pytest.raises(Undecodable) as refused:
            use(path)
        assert refused.value.code == code
        assert refused.value.detail


def test_a_file_that_cannot_be_opened_has_the_code_io(tmp_path: Path):
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(Undecodable) as refused:
            read_image(path)
        assert refused.value.code == QuarantineCode.IO
    copy = pickle.loads(pickle.dumps(refused.value))
    assert (copy.code, copy.detail) == (refused.value.code, refused.value.detail)


@pytest.mark.filterwarnings("ignore::UserWarning")  # as in the program; see images.py
@pytest.mark.parametrize("name", ["exif-6.jpg", "exif-6.tiff", "animated.gif", "alpha.webp"])
def test_damaged_bytes_give_a_picture_or_a_code(name: str):
    chance = random.Random(name)
    for _ in range(150):
        data = bytearray(GOLDEN[name])
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with contextlib.suppress(Undecodable):
            assert read_image(bytes(data)).mode == "RGB"


# ------------------------------------------------------------------------------------- large JPEGs


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_too_large_is_decoded_at_a_part_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progressive: bool
):
    path = tmp_path / "large.jpg"
    path.write_bytes(saved(scene().resize((640, 320)), "JPEG", progressive=progressive))
    whole = read_image(path)
    assert whole.size == (640, 320)
    for limit, size in ((640 * 320, (640, 320)), (640 * 320 - 1, (320, 160)), (10_000, (80, 40))):
        monkeypatch.setattr(decode_limits, "MAX_PIXELS", limit)
        seen = read_image(path)
        assert seen.size == size
        assert np.array_equal(pixels(seen), shown(path))
        found = inspect_file(path)
        assert (found.width, found.height) == size
        near = np.abs(pixels(seen) - pixels(whole.resize(size, Image.Resampling.BOX)))
        assert near.mean() < 4
    monkeypatch.setattr(decode_limits, "MAX_PIXELS", 100)
    with pytest.raises(Undecodable, match="640 x 320 pixels, and the limit is 100"):
        read_image(path)


def test_a_jpeg_above_the_limit_of_pillow_is_read():
    large = saved(Image.new("L", (12_000, 9_000), 200), "JPEG", quality=30)
    assert read_image(large).size == (6_000, 4_500)
