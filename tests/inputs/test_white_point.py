"""Values of 10, 12 and 14 bits in files of 16: the file or the project says what is white."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from alworkbench.inputs.picture import display, inspect_file, read_image

HEIGHT, WIDTH = 16, 24


def ramp(top: int, channels: int = 0) -> np.ndarray:
    """Values from 0 to `top`, each channel in another order."""
    grey = np.linspace(0, top, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)
    if not channels:
        return grey
    return np.stack([grey, grey[::-1], grey[:, ::-1], np.full_like(grey, top)][:channels], axis=-1)


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def png(values: np.ndarray, bits: int | None = None) -> bytes:
    """A PNG of 16 bits, grey or colours, with an sBIT chunk if `bits` are given."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    colour = {1: 0, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, colour, 0, 0, 0)
    rows = values.astype(">u2").reshape(HEIGHT, -1)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    significant = chunk(b"sBIT", bytes([bits] * channels)) if bits else b""
    parts = chunk(b"IHDR", header) + significant + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def grey_tiff(values: np.ndarray, **tags: int) -> bytes:
    told = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        number = {"most": 281, "smost": 341}[name]
        told[number] = value
        told.tagtype[number] = 3
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF", tiffinfo=told)
    return buffer.getvalue()


def raw_tiff(values: np.ndarray, order: str, bits: int = 16, deflate: bool = False) -> bytes:
    """A TIFF of one strip, written by hand: Pillow writes neither colours of 16 bits nor grey of 12."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    if bits == 12:
        flat = values.reshape(-1, 2).astype(np.uint32)
        packed = flat[:, 0] << 12 | flat[:, 1]
        body = b"".join(int(pair).to_bytes(3, "big") for pair in packed)
    else:
        body = values.astype(f"{order}u2").tobytes()
    if deflate:
        body = zlib.compress(body)
    entries: list[tuple[int, int, list[int]]] = [
        (256, 3, [WIDTH]),
        (257, 3, [HEIGHT]),
        (258, 3, [bits] * channels),
        (259, 3, [8 if deflate else 1]),
        (262, 3, [1 if channels == 1 else 2]),
        (273, 4, [8]),
        (277, 3, [channels]),
        (278, 3, [HEIGHT]),
        (279, 4, [len(body)]),
    ]
    if channels == 4:
        entries.append((338, 3, [2]))
    start = 8 + len(body) + len(body) % 2
    after = start + 2 + 12 * len(entries) + 4
    table, extra = b"", b""
    for tag, kind, found in entries:
        content = struct.pack(f"{order}{len(found)}{'HI'[kind == 4]}", *found)
        if len(content) > 4:
            place = struct.pack(f"{order}I", after + len(extra))
            extra += content
        else:
            place = content.ljust(4, b"\0")
        table += struct.pack(f"{order}HHI", tag, kind, len(found)) + place
    mark = {"<": b"II", ">": b"MM"}[order]
    head = mark + struct.pack(f"{order}HI", 42, start)
    directory = struct.pack(f"{order}H", len(entries)) + table + bytes(4)
    return head + body.ljust(start - 8, b"\0") + directory + extra


def expected(values: np.ndarray, white: int) -> np.ndarray:
    """Upright RGB of these values, with transparency ignored (it is full)."""
    shades = np.rint(np.clip(values.astype(np.float64) * (255 / white), 0, 255)).astype(int)
    return np.repeat(shades[..., None], 3, axis=2) if shades.ndim == 2 else shades[..., :3]


def seen(data: bytes, white: int | None = None) -> np.ndarray:
    return np.asarray(read_image(data, white)).astype(int)


FILES: dict[str, tuple[bytes, np.ndarray, int | None, int]] = {
    # name: file, its values, white of the project, white that counts
    "says nothing": (png(ramp(4095)), ramp(4095), None, 65535),
    "white of the project": (png(ramp(4095)), ramp(4095), 4095, 4095),
    "above white is white": (png(ramp(9000)), ramp(9000), 4095, 4095),
    "sBIT of 10": (png(ramp(1023), bits=10), ramp(1023), None, 1023),
    "sBIT of 14, and a project": (png(ramp(16383), bits=14), ramp(16383), 4095, 16383),
    "sBIT, scaled": (png(ramp(4095) * 16, bits=12), ramp(4095) * 16, None, 65535),
    "sBIT, scaled, dark": (png(ramp(200) * 16, bits=12), ramp(200) * 16, None, 65535),
    "SMaxSampleValue": (grey_tiff(ramp(4095), smost=4095), ramp(4095), None, 4095),
    "MaxSampleValue": (grey_tiff(ramp(4095), most=4095), ramp(4095), None, 4095),
    "MaxSampleValue of content": (grey_tiff(ramp(4000), most=4000), ramp(4000), None, 65535),
    "BitsPerSample of 12": (raw_tiff(ramp(4095), "<", bits=12), ramp(4095), None, 4095),
    "colours, project": (png(ramp(4095, 3)), ramp(4095, 3), 4095, 4095),
    "colours, sBIT": (png(ramp(1023, 3), bits=10), ramp(1023, 3), None, 1023),
    "colours with alpha": (png(ramp(4095, 4)), ramp(4095, 4), 4095, 4095),
    "TIFF colours, little": (raw_tiff(ramp(4095, 3), "<"), ramp(4095, 3), 4095, 4095),
    "TIFF colours, big": (raw_tiff(ramp(4095, 3), ">"), ramp(4095, 3), 4095, 4095),
    "TIFF colours, deflate": (
        raw_tiff(ramp(4095, 3), "<", deflate=True),
        ramp(4095, 3),
        4095,
        4095,
    ),
    "TIFF colours, deflate, big": (
        raw_tiff(ramp(4095, 4), ">", deflate=True),
        ramp(4095, 4),
        4095,
        4095,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_values_are_scaled_to_the_white_that_counts_for_person_and_model(tmp_path: Path, name: str):
    data, values, project, white = FILES[name]
    found = seen(data, project)
    assert np.abs(found - expected(values, white)).max() <= 1
    path = tmp_path / "file.png"
    path.write_bytes(data)
    with Image.open(io.BytesIO(display(path, project).data)) as drawn:
        assert np.array_equal(np.asarray(drawn.convert("RGB")), found)
    depth = inspect_file(path, project).depth
    assert depth is not None
    assert depth.white == white
    assert 0 <= depth.brightest - int(values.max()) <= 255


@pytest.mark.parametrize("channels", [0, 3])
def test_full_values_have_the_same_pixels_whatever_the_project_says_of_none(channels: int):
    values = ramp(65535, channels)
    assert np.abs(seen(png(values)) - expected(values, 65535)).max() <= 1
    assert np.array_equal(seen(png(values)), seen(png(values), 65535))


@pytest.mark.parametrize("project", [None, 255, 4095])
def test_the_white_point_leaves_files_of_8_bits_as_they_are(project: int | None, tmp_path: Path):
    buffer = io.BytesIO()
    Image.fromarray(ramp(255).astype(np.uint8)).save(buffer, "PNG")
    assert np.array_equal(seen(buffer.getvalue(), project), seen(buffer.getvalue()))
    path = tmp_path / "8.png"
    path.write_bytes(buffer.getvalue())
    assert inspect_file(path, project).depth is None


@pytest.mark.parametrize("tag", [258, 281, 341])
@pytest.mark.parametrize("value", [0, 1, 65535])
def test_false_statements_of_a_file_give_a_picture_or_a_code(tag: int, value: int):
    tags: dict[str, Any] = {281: {"most": value}, 341: {"smost": value}, 258: {}}[tag]
    data = grey_tiff(ramp(4095), **tags)
    assert seen(data).shape == (HEIGHT, WIDTH, 3)
