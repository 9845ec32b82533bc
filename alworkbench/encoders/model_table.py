"""Write the page of supported models, docs/models.md, and the table of published tags.

`python -m alworkbench.encoders.model_table` does it, from the repository. A test compares them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import open_clip

from alworkbench.core.atomic_files import write_atomically
from alworkbench.encoders import PUBLISHED_TAGS
from alworkbench.encoders.supported import ModelSupport, Side, architectures, supported_models

FAMILIES = (
    ("SigLIP 2", "SigLIP2"),
    ("SigLIP", "SigLIP"),
    ("MobileCLIP", "^MobileCLIP"),
    ("CoCa", "^coca"),
    ("EVA-CLIP", "^EVA"),
    ("Perception Encoder", "^PE-Core"),
    ("ViTamin", "^ViTamin"),
    ("CLIPA", "CLIPA"),
    ("CLIP ResNet", "^RN"),
    ("CLIP ConvNeXt", "^convnext"),
    ("CLIP with a Hugging Face text tower", "^(nllb|mt5|xlm|roberta)"),
    ("CLIP with another timm tower", "^(swin|vit_)"),
    ("CLIP ViT", "^ViT-"),
    ("other", ""),
)
"""Title and pattern of each family. The first pattern that matches a name gives its family."""


def family(name: str) -> str:
    """The family of an architecture, by its name."""
    return next(title for title, pattern in FAMILIES if re.search(pattern, name))


def made_with() -> str:
    """The releases whose models the table lists, for its first lines."""
    return f"open_clip {version('open_clip_torch')} and timm {version('timm')}"


def table(models: Sequence[ModelSupport]) -> str:
    """The content of docs/models.md."""
    supported = sum(model.supported for model in models)
    lines = [
        "# Models",
        "",
        f"Made with {made_with()}: {supported} of {len(models)} architectures are supported.",
        "",
        "A model is supported if each of its towers ends with a linear layer: the posterior is over",
        "these two projections. P and Q are the sizes of their inputs (with a constant 1 if the layer",
        "has a bias), D is the size of the embedding. `+ residual` marks a projection whose output is",
        "added to a fixed vector. The size `hub` becomes known when the configuration of the text",
        "tower is fetched from the Hugging Face hub. *transformers* means that the tokenizer or the",
        "text tower needs `pip install transformers`; alworkbench does not require it. This page does",
        "not say whether weights are published: see `open_clip.list_pretrained()`. When weights are",
        "loaded, the split is compared with the model's own embeddings before it is used.",
        "",
        summary(models),
        *_about_naflex(models),
        "",
        "`alworkbench models` prints the table below for the installed releases.",
        "`python -m alworkbench.encoders.model_table` writes this page.",
        "",
        *_rows(
            ("model", "image tower", "P", "text tower", "Q", "D", "loss", "supported"),
            [
                (
                    model.name,
                    _tower(model.image),
                    _size(model.image),
                    _tower(model.text),
                    _size(model.text),
                    str(model.embedding_size),
                    model.loss,
                    verdict(model),
                )
                for model in models
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def summary(models: Sequence[ModelSupport]) -> str:
    """The table of families: how many models of each are supported, and why the others are not."""
    rows = []
    for title, _ in FAMILIES:
        members = [model for model in models if family(model.name) == title]
        if not members:
            continue
        refused = [model for model in members if not model.supported]
        needy = sum(bool(model.needs) for model in members if model.supported)
        rows.append(
            (
                title,
                str(len(members) - len(refused)),
                str(needy or ""),
                str(len(refused) or ""),
                "; ".join(f"{model.name}: {model.why_not}" for model in refused),
            )
        )
    head = ("family", "supported", "of these with transformers", "not", "why not")
    return "\n".join(_rows(head, rows))


def verdict(model: ModelSupport) -> str:
    """The content of a cell: yes, yes with a package, or the reason why not."""
    if not model.supported:
        return f"no: {model.why_not}"
    return f"yes, with {model.needs}" if model.needs else "yes"


def published_table() -> str:
    """The content of `published_tags.json`, which names are checked against without loading open_clip."""
    tags = {
        name: found
        for name in architectures()
        if (found := open_clip.list_pretrained_tags_by_model(name))
    }
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in tags.items())
    release = json.dumps(version("open_clip_torch"))
    return f'{{\n"open_clip": {release},\n"tags": {{\n{rows}\n}}\n}}\n'


# ------------------------------------------------------------------------------------------ inside


def _tower(side: Side) -> str:
    layer = f", `{side.layer}`" if side.layer else ""
    return f"{side.tower}{layer}{' + residual' if side.residual else ''}"


def _size(side: Side) -> str:
    if side.size is not None:
        return str(side.size)
    return "hub" if side.layer else ""


def _about_naflex(models: Sequence[ModelSupport]) -> list[str]:
    if any("naflex" in model.name.lower() for model in models):
        return []
    return [
        "",
        "The NaFlex variants of SigLIP 2 (pictures of any shape in one batch) are not in the table:",
        "this release of open_clip lists none, and its preprocessing gives every picture one size. A",
        "configuration of your own with a NaFlex trunk of timm, at one size, is split like SigLIP.",
    ]


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells]


def main(arguments: list[str] | None = None) -> None:
    """Write the table of models: `python -m alworkbench.encoders.model_table`."""
    parser = argparse.ArgumentParser(
        prog="python -m alworkbench.encoders.model_table",
        description="Write the page of open_clip's models that are supported.",
        epilog="example: python -m alworkbench.encoders.model_table --table /tmp/models.md",
    )
    parser.add_argument("--table", type=Path, default=Path("docs/models.md"), help="(%(default)s)")
    parser.add_argument("--tags", type=Path, default=PUBLISHED_TAGS, help="(%(default)s)")
    options = parser.parse_args(arguments)

    models = supported_models()
    write_atomically(options.table, table(models).encode())
    write_atomically(options.tags, published_table().encode())


if __name__ == "__main__":
    main()
