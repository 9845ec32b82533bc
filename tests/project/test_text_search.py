"""The search by text, with a model of open_clip: small, drawn at random, and read from files as any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import open_clip
import PIL.Image
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings
from alworkbench.encoders import load_encoder
from alworkbench.project.image_query import ImageQuery, Order
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from tests.encoders.test_loading import CONFIG, CPU, model_of
from tests.making_project import closing, picture

TEXTS = ("two boots", "a cat on a mat", "*é* <b>")


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Twelve pictures, encoded by the model."""
    root = tmp_path_factory.mktemp("search")
    (root / "tiny.json").write_text(json.dumps(CONFIG))
    save_file(model_of(CONFIG).state_dict(), root / "tiny.safetensors")
    for k in range(12):
        picture(root / "pool" / f"{k}.png", k)
    spec = f"{root / 'tiny.json'}:{root / 'tiny.safetensors'}"
    names = ClassList((LabelClass("boot"), LabelClass("cat")))
    folder = root / "project"
    create_store(folder, ProjectSettings("search", encoder=spec), names, utc_now()).close()
    with closing(Workbench(ProjectFolder(folder), open_store(folder))) as found:
        found.images.add(root / "pool")
        found.features.encode(workers=0)
        yield found


def plain(workbench: Workbench, text: str) -> dict[str, float]:
    """Name of a picture -> its cosine with a text, by open_clip itself."""
    model = model_of(CONFIG)
    preprocess = load_encoder(workbench.session.settings().encoder, CPU).preprocess
    files = sorted((workbench.session.folder.path.parent / "pool").iterdir())
    pixels = torch.stack([preprocess(PIL.Image.open(each)) for each in files])
    tokens = open_clip.SimpleTokenizer(context_length=16)([text])
    with torch.inference_mode():
        images, words = model.encode_image(pixels), model.encode_text(tokens)
    cosines = normalize(images, dim=-1) @ normalize(words, dim=-1)[0]
    return {each.name: float(value) for each, value in zip(files, cosines, strict=True)}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_finds_images_in_the_order_of_the_model_itself(
    workbench: Workbench, text: str
) -> None:
    assert workbench.gallery.state().texts
    wanted = plain(workbench, text)
    page = workbench.gallery.page(ImageQuery(order=Order.SIMILARITY, text=text))
    shown = {Path(each.path).name: each.similarity for each in page.images}
    assert shown == pytest.approx(wanted, abs=2e-3)  # features and embeddings are kept as float16
    values = list(shown.values())
    assert values == sorted(values, reverse=True)
    assert max(wanted.values()) - min(wanted.values()) > 0.02


def test_the_command_finds_what_the_gallery_finds(workbench: Workbench) -> None:
    folder = str(workbench.session.folder.path)
    done = CliRunner().invoke(app, ["find", TEXTS[0], "--project", folder, "--json"])
    assert done.exit_code == 0, done.output
    page = workbench.gallery.page(ImageQuery(order=Order.SIMILARITY, text=TEXTS[0]))
    found = json.loads(done.stdout)["images"]
    assert [each["hash"] for each in found] == [each.hash for each in page.images][: len(found)]
