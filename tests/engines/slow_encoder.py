"""An encoder that takes long enough for its worker to be killed meanwhile, and says that it began."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

import torch

from alworkbench.encoders.head import Features
from tests.features.test_encode import FakeEncoder


class SlowEncoder(FakeEncoder):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def encode_images(self, pixels: torch.Tensor) -> Features:
        (self.folder / f"{os.getpid()}-{uuid.uuid4().hex}").touch()
        time.sleep(0.5)
        return super().encode_images(pixels)
