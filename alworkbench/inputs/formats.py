"""Which formats of pictures are read here, and what to do with those that are not.

Six formats are always read. AVIF and JPEG 2000 are read where the installed Pillow has their decoders, HEIC
where the optional package pillow-heif is installed. Drawings and raw files of cameras are no finished
pictures: what they look like depends on the program that renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

ALWAYS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
}
AVIF = {"AVIF": (".avif",)}
JPEG_2000 = {"JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc")}
HEIC = {"HEIF": (".heic", ".heif", ".hif")}
RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef"}
    | {".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2"}
    | {".srf", ".srw", ".x3f"}
)
DRAWINGS = frozenset({".svg", ".svgz", ".eps", ".ai", ".pdf", ".emf", ".wmf"})
DICOM = frozenset({".dcm", ".dicom"})
OTHER_PICTURES = frozenset({".psd", ".tga", ".ppm", ".pgm", ".pbm", ".jxl", ".exr", ".ico", ".xcf"})


@cache
def formats() -> Mapping[str, tuple[str, ...]]:
    """Pillow's name of each format that can be read -> its suffixes, in lower case with a dot."""
    from PIL import features

    found = dict(ALWAYS)
    if features.check("avif"):
        found |= AVIF
    if features.check("jpg_2000"):
        found |= JPEG_2000
    if find_spec("pillow_heif") is not None:
        from pillow_heif import register_heif_opener

        register_heif_opener()
        found |= HEIC
    return found


@cache
def suffixes() -> frozenset[str]:
    """Suffixes of the formats that can be read, in lower case with a dot."""
    return frozenset(suffix for each in formats().values() for suffix in each)


def advice(skipped: Mapping[str, int]) -> list[str]:
    """A sentence for each kind of picture that was skipped: how many there are, and what to do.

    `skipped` is suffix -> number of files; what is no suffix of a picture is left out.
    """
    kinds: tuple[tuple[frozenset[str], str, str], ...] = (
        (RAW, "raw files of cameras", "Develop them to JPEG or TIFF first."),
        (DRAWINGS, "drawings", "Export them as PNG."),
        (
            DICOM,
            "DICOM files",
            "Export them as PNG or TIFF of 16 bits, and say with `--white-point` what is white.",
        ),
        (frozenset(*HEIC.values()), "HEIC pictures", "`pip install alworkbench[heic]` reads them."),
        (
            frozenset(*AVIF.values()) | frozenset(*JPEG_2000.values()),
            "AVIF or JPEG 2000 pictures",
            "The installed Pillow lacks their decoder: `pip install --upgrade pillow`.",
        ),
        (OTHER_PICTURES, "pictures of other formats", "Convert them to PNG."),
    )
    sentences = []
    for kind, noun, remedy in kinds:
        names = sorted((kind - suffixes()) & skipped.keys())
        if names:
            number = sum(skipped[name] for name in names)
            sentences.append(f"Not read: {number:,} of {', '.join(names)} ({noun}). {remedy}")
    return sentences
