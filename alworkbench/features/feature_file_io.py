"""Read, check and write features files; `alworkbench.features.feature_file` has their layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
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

MAX_BYTES = 8 << 30
"""Largest sum of the arrays' sizes that is read, unpacked."""


def read_feature_file(path: Path, max_bytes: int = MAX_BYTES) -> FeatureFile:
    """Read and check such a file; nothing in it is trusted, and nothing in it is executed.

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
        return FeatureFile(
            encoder=self.arrays.text("encoder", self.path.stem),
            head=self._head(size, width, text_width),
            features=self._features(
                "activations", "residuals", (count, width, size), residual, keep_half=True
            ),
            class_names=names,
            prompt_activations=self.arrays.numbers("prompt_activations", (prompts, text_width)),
            prompt_classes=self._prompt_classes(prompts, len(names)),
            paths=paths,
            hashes=hashes,
            labels=self._labels(count, len(names), split),
            split=split,
            pairs=self._pairs((width, size, text_width), residual),
            role=self._role(),
        )

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
            self.arrays.numbers(activations, (count, width), half=half),
            self.arrays.numbers(residuals, (count, size), half=half) if residual else None,
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
            self.arrays.numbers("pair_text_activations", (count, text_width)),
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
