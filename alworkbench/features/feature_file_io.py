"""Read, check and write features files; `alworkbench.features.feature_file` has their layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.domain import NO_CLASS, ClassList, LabelClass
from alworkbench.core.errors import InvalidClassList
from alworkbench.encoders.head import Features, Head, Loss
from alworkbench.features.feature_file import (
    KNOWN,
    NEEDED,
    OPTIONAL,
    CollectionRole,
    FeatureFile,
    Split,
    TrainingPairFeatures,
)
from alworkbench.features.npz import Arrays, NpzReader, invalid
from alworkbench.features.usable_rows import UnusableRow, reasons_against

T = TypeVar("T")

MAX_BYTES = 8 << 30
"""Largest sum of the arrays' sizes that is read, unpacked."""


def read_feature_file(path: Path, max_bytes: int = MAX_BYTES) -> FeatureFile:
    """Read and check such a file; nothing in it is trusted, and nothing in it is executed.

    Rows that cannot be computed with are left out and named in `unusable`; at least one image must remain.
    Raises InvalidFeatureFile, saying what was found and what was needed.
    """
    with NpzReader(path, max_bytes, KNOWN) as reader:
        if missing := [name for name in NEEDED if name not in reader.names]:
            raise invalid(path, f"it lacks {', '.join(missing)}")
        arrays = {name: reader.read(name) for name in reader.names}
    return _Checker(path, Arrays(path, arrays)).feature_file()


def write_feature_file(path: Path, file: FeatureFile) -> None:
    """Write what `read_feature_file` reads; the file appears whole or not at all."""
    arrays: dict[str, Any] = {
        "activations": file.features.activations,
        "residuals": file.features.residuals,
        "projection": file.head.image_projection,
        "text_projection": file.head.text_projection,
        "logit_scale": np.float64(file.head.logit_scale),
        "logit_bias": np.float64(file.head.logit_bias),
        "loss": np.array(file.head.loss),
        "prompt_activations": file.prompt_activations,
        "prompt_classes": file.prompt_classes,
        "class_names": np.array(file.class_names),
        "paths": None if file.paths is None else np.array(file.paths),
        "hashes": None if file.hashes is None else np.array(file.hashes),
        "labels": file.labels,
        "split": None if file.split is None else np.array(file.split),
        "encoder": np.array(file.encoder),
        "role": np.array(file.role),
    }
    if file.pairs is not None:
        arrays["pair_activations"] = file.pairs.images.activations
        arrays["pair_residuals"] = file.pairs.images.residuals
        arrays["pair_text_activations"] = file.pairs.texts
    given = {
        name: values.detach().cpu().numpy() if isinstance(values, Tensor) else values
        for name, values in arrays.items()
        if values is not None
    }
    with atomic_path(path) as draft, draft.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **given)


@dataclass(frozen=True, slots=True)
class _Checker:
    """Turns a file's arrays into values that agree with each other."""

    path: Path
    arrays: Arrays

    def feature_file(self) -> FeatureFile:
        count, width = self.arrays.shape("activations")
        size, text_width = self.arrays.shape("text_projection")
        prompts, _ = self.arrays.shape("prompt_activations")
        residual = "residuals" in self.arrays
        names = self._class_names()
        split = self._split(count)
        paths, hashes = self.arrays.texts("paths", count), self.arrays.texts("hashes", count)
        if paths is None and hashes is None:
            raise invalid(self.path, "it needs paths or hashes of the images")
        if wrong := [h for h in hashes or () if not re.fullmatch("[0-9a-f]{64}", h)]:
            raise invalid(self.path, f"hashes holds {wrong[0]!r}, expected 64 hexadecimal digits")
        prompt_activations = self.arrays.numbers("prompt_activations", (prompts, text_width))
        file = FeatureFile(
            encoder=self.arrays.text("encoder", self.path.stem),
            head=self._head(size, width, text_width),
            features=self._features(
                "activations", "residuals", (count, width, size), residual, keep_half=True
            ),
            class_names=names,
            prompt_activations=prompt_activations,
            prompt_classes=self._prompt_classes(prompts, len(names)),
            paths=paths,
            hashes=hashes,
            labels=self._labels(count, len(names), split),
            split=split,
            pairs=self._pairs((width, size, text_width), residual),
            role=self._role(),
        )
        self._check_classes(file)
        return self._usable_pairs(self._usable_images(file))

    def _check_classes(self, file: FeatureFile) -> None:
        """Prompts and classes need a direction: without one of them no image can be compared."""
        for what, texts in (
            ("prompt_activations", file.prompt_activations),
            ("the mean of prompt_activations by class", file.class_activations),
        ):
            wrong = reasons_against(
                Features(texts), lambda part: file.head.embed_texts(part.activations)
            )
            for row, reason in wrong.items():
                raise invalid(self.path, f"row {row} of {what} cannot be used: {reason}")

    def _usable_images(self, file: FeatureFile) -> FeatureFile:
        """The file without the images that have no direction."""
        wrong = reasons_against(file.features, file.head.embed_images)
        rows = [row for row in range(len(file.features)) if row not in wrong]
        named = tuple(
            UnusableRow(
                "activations",
                row,
                reason,
                None if file.paths is None else file.paths[row],
                None if file.hashes is None else file.hashes[row],
            )
            for row, reason in wrong.items()
        )
        if not rows:
            raise invalid(self.path, f"none of its images can be used. The first is {named[0]}")
        if not named:
            return file
        kept = torch.tensor(rows)
        return replace(
            file,
            features=file.features[kept],
            paths=_at(file.paths, rows),
            hashes=_at(file.hashes, rows),
            labels=None if file.labels is None else file.labels[kept],
            split=_at(file.split, rows),
            unusable=named,
        )

    def _usable_pairs(self, file: FeatureFile) -> FeatureFile:
        """The file without the training pairs of which one side has no direction."""
        if file.pairs is None:
            return file
        texts = Features(file.pairs.texts)
        wrong = {
            "pair_activations": reasons_against(file.pairs.images, file.head.embed_images),
            "pair_text_activations": reasons_against(
                texts, lambda part: file.head.embed_texts(part.activations)
            ),
        }
        named = [
            UnusableRow(array, row, reason)
            for array, reasons in wrong.items()
            for row, reason in reasons.items()
        ]
        if not named:
            return file
        left_out = {each.row for each in named}
        kept = [row for row in range(len(texts)) if row not in left_out]
        if not kept:
            raise invalid(self.path, f"none of its pairs can be used. The first is {named[0]}")
        rows = torch.tensor(kept)
        pairs = TrainingPairFeatures(file.pairs.images[rows], file.pairs.texts[rows])
        return replace(file, pairs=pairs, unusable=(*file.unusable, *named))

    def _head(self, size: int, width: int, text_width: int) -> Head:
        scale = self.arrays.scalar("logit_scale")
        bias = self.arrays.scalar("logit_bias") if "logit_bias" in self.arrays else 0.0
        loss = self.arrays.text("loss", "infonce")
        if scale <= 0:
            raise invalid(self.path, f"logit_scale is {scale}, expected a number above 0")
        if loss not in get_args(Loss):
            raise invalid(self.path, f"loss is {loss!r}, expected 'infonce' or 'siglip'")
        return Head(
            self.arrays.numbers("projection", (size, width)),
            self.arrays.numbers("text_projection", (size, text_width)),
            scale,
            bias,
            "siglip" if loss == "siglip" else "infonce",
        )

    def _features(
        self,
        activations: str,
        residuals: str,
        sizes: tuple[int, int, int],
        residual: bool,
        *,
        keep_half: bool = False,
    ) -> Features:
        """Both arrays as float32, or both as float16 if they are and `keep_half` says so."""
        count, width, size = sizes
        if residual and residuals not in self.arrays:
            raise invalid(self.path, f"it has residuals, but no {residuals}")
        if not residual and residuals in self.arrays:
            raise invalid(self.path, f"it has {residuals}, but no residuals")
        half = keep_half and self.arrays.is_half(activations)
        half = half and (not residual or self.arrays.is_half(residuals))
        return Features(
            self.arrays.numbers(activations, (count, width), half=half, finite=False),
            self.arrays.numbers(residuals, (count, size), half=half, finite=False)
            if residual
            else None,
        )

    def _pairs(self, sizes: tuple[int, int, int], residual: bool) -> TrainingPairFeatures | None:
        given = [name for name in OPTIONAL if name.startswith("pair_") and name in self.arrays]
        if not given:
            return None
        if missing := {"pair_activations", "pair_text_activations"} - set(given):
            raise invalid(self.path, f"it has {given[0]}, but no {missing.pop()}")
        width, size, text_width = sizes
        count, _ = self.arrays.shape("pair_activations")
        return TrainingPairFeatures(
            self._features("pair_activations", "pair_residuals", (count, width, size), residual),
            self.arrays.numbers("pair_text_activations", (count, text_width), finite=False),
        )

    def _class_names(self) -> tuple[str, ...]:
        names = self.arrays.texts("class_names", None)
        try:
            return ClassList(tuple(LabelClass(name) for name in names or ())).names
        except InvalidClassList as error:
            raise invalid(self.path, f"in class_names: {error}") from error

    def _prompt_classes(self, prompts: int, classes: int) -> Int64[Tensor, "T"]:
        found = self.arrays.integers("prompt_classes", prompts, 0, classes - 1)
        if without := sorted(set(range(classes)) - set(found.tolist())):
            raise invalid(
                self.path,
                f"class {without[0]} ({len(without)} in all) has no prompt in prompt_classes",
            )
        return found

    def _labels(
        self, count: int, classes: int, split: tuple[Split, ...] | None
    ) -> Int64[Tensor, "N"] | None:
        if "labels" not in self.arrays:
            return None
        found = self.arrays.integers("labels", count, NO_CLASS, classes - 1)
        strangers = (found == NO_CLASS).nonzero()[:, 0].tolist()
        if split is not None and (wrong := [row for row in strangers if split[row] == "test"]):
            raise invalid(
                self.path,
                f"labels is {NO_CLASS} (no class) for image {wrong[0]} of the test "
                f"part, but test images need a class",
            )
        return found

    def _role(self) -> CollectionRole:
        found = self.arrays.text("role", "own")
        for role in get_args(CollectionRole):
            if found == role:
                return cast(CollectionRole, role)
        raise invalid(self.path, f"role is {found!r}, expected 'dev', 'report' or 'own'")

    def _split(self, count: int) -> tuple[Split, ...] | None:
        if "split" not in self.arrays:
            return None
        values = self.arrays.strings("split", (count,)).tolist()
        if wrong := set(values) - set(get_args(Split)):
            raise invalid(self.path, f"split holds {sorted(wrong)[0]!r}, expected 'pool' or 'test'")
        return tuple(values)


def _at(values: Sequence[T] | None, rows: Sequence[int]) -> tuple[T, ...] | None:
    return None if values is None else tuple(values[row] for row in rows)
