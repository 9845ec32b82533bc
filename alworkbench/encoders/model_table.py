"""The table of models in words: `python -m alworkbench.encoders.model_table`, from the repository.

Writes docs/models.md, and the summary by family between two markers of README.md. Both are what
`alworkbench.encoders.supported` finds, never written by hand; a test compares.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from alworkbench.encoders.supported import ModelSupport, Side, supported_models

BEGIN = "<!-- models: written by python -m alworkbench.encoders.model_table -->"
END = "<!-- /models -->"

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
"""Names are all that tells families apart; the first that is found in a name is its family."""


def family(name: str) -> str:
    """The family that the name of an architecture belongs to."""
    return next(title for title, pattern in FAMILIES if re.search(pattern, name))


def made_with() -> str:
    """The releases whose models the table is about: its head names them."""
    return f"open_clip {version('open_clip_torch')} and timm {version('timm')}"


def table(models: Sequence[ModelSupport]) -> str:
    """docs/models.md."""
    supported = sum(model.supported for model in models)
    lines = [
        "# Models",
        "",
        f"Made with {made_with()}: {supported} of {len(models)} architectures are supported.",
        "",
        "A model is supported where each tower ends with a linear layer: the two projections that the",
        "posterior is about. P and Q are what goes into them (with the constant 1 of a bias), D is the",
        "embedding; `+ residual` marks a projection whose output is added to something fixed. A size",
        "shown as `hub` is known once the text tower's config is fetched from the Hugging Face hub.",
        "*transformers* means that tokenizer or text tower need `pip install transformers`, which",
        "is no requirement of this program. Whether weights of an architecture are published is",
        "another question: `open_clip.list_pretrained()` answers it. When weights are loaded, the",
        "split is compared with the model's own embeddings before it is used.",
        *_about_naflex(models),
        "",
        "`alworkbench models` prints this table for the installed releases; this file is written by",
        "`python -m alworkbench.encoders.model_table`.",
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
    """The table of README.md: families, how many of each are supported, and why not the others."""
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
    return "\n".join([f"With {made_with()}:", "", *_rows(head, rows)])


def with_summary(readme: str, models: Sequence[ModelSupport]) -> str:
    """README.md with the text between its markers exchanged. Raises ValueError without markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The readme needs the lines {BEGIN} and {END}, in this order.")
    return f"{before}{BEGIN}\n\n{summary(models)}\n\n{END}{after}"


def verdict(model: ModelSupport) -> str:
    """In a cell: yes, yes with a package, or why not."""
    if not model.supported:
        return f"no: {model.why_not}"
    return f"yes, with {model.needs}" if model.needs else "yes"


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
        "The NaFlex variants of SigLIP 2 (pictures of any shape in one batch) are not among them: this",
        "release of open_clip lists none, and its preprocessing brings every picture to one size. A",
        "config of your own with a NaFlex trunk of timm, at one size, is split as SigLIP is.",
    ]


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells]


def main(arguments: list[str] | None = None) -> None:
    """Write the table of models: `python -m alworkbench.encoders.model_table`."""
    parser = argparse.ArgumentParser(
        prog="python -m alworkbench.encoders.model_table",
        description="Write the table of open_clip's models, and its summary in the readme.",
        epilog="example: python -m alworkbench.encoders.model_table --table /tmp/models.md",
    )
    parser.add_argument("--table", type=Path, default=Path("docs/models.md"), help="(%(default)s)")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="(%(default)s)")
    options = parser.parse_args(arguments)

    models = supported_models()
    options.table.write_text(table(models), encoding="utf-8")
    readme = options.readme.read_text(encoding="utf-8")
    options.readme.write_text(with_summary(readme, models), encoding="utf-8")


if __name__ == "__main__":
    main()
