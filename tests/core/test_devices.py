"""Names of devices resolve to devices of this machine."""

from __future__ import annotations

import pytest
import torch

from alworkbench.core.devices import available_devices, describe, resolve_device
from alworkbench.core.errors import DeviceUnavailable


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Say what torch would find."""

    def has(gpus: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return has


@pytest.mark.parametrize(
    ("gpus", "mps", "taken"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda:0")]
)
def test_auto_uses_an_accelerator_if_there_is_one(machine, gpus: int, mps: bool, taken: str):
    machine(gpus, mps)
    assert str(resolve_device("auto")) == taken
    assert available_devices()[0] == taken
    assert available_devices()[-1] == "cpu"


def test_every_available_device_resolves_to_itself(machine):
    machine(gpus=2, mps=True)
    for name in available_devices():
        assert str(resolve_device(name)) == name
    assert str(resolve_device("cuda")) == "cuda:0"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7", "mps", "GPU", "", "cuda:-1", "cpu:0"])
def test_a_missing_device_is_refused_with_the_available_ones(machine, name: str):
    machine()
    with pytest.raises(DeviceUnavailable, match="This machine has cpu"):
        resolve_device(name)


def test_a_gpu_number_past_the_last_is_refused(machine):
    machine(gpus=2)
    with pytest.raises(DeviceUnavailable, match="this machine has 2 GPUs"):
        resolve_device("cuda:2")


def test_the_cpu_is_described_with_its_threads():
    assert describe(torch.device("cpu")).startswith("cpu (")


@pytest.mark.gpu
def test_a_gpu_is_described_by_name():
    assert torch.cuda.get_device_name(0) in describe(resolve_device("cuda"))
