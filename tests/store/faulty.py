"""Disks that are full and networks that are gone, for the tests of the store."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tiny_disk(place: Path, size: str) -> Iterator[Path]:
    """A disk of this size at a new folder. Skips the test where this user cannot mount one."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a disk of its own can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all the space that is left."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return ballast


class Network:
    """The way to a server: it can be cut, silent or closed, and mended."""

    def __init__(self, target: int) -> None:
        """`target` is a port on loopback; `port` is the way to it."""
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._replies_are_lost = False
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        """Carry one connection both ways until it ends."""
        with near:
            if not self._open.is_set():
                return
            with socket.create_connection(("127.0.0.1", self._target)) as far:
                self._sockets |= {near, far}
                up = threading.Thread(target=self._carry, args=(near, far), daemon=True)
                up.start()
                self._carry(far, near)
                up.join()
                self._sockets -= {near, far}

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            reply = source.getpeername()[1] == self._target
            while data := source.recv(65536):
                self._open.wait()
                if reply and self._replies_are_lost:
                    self.cut()
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._open.clear()

    def cut(self) -> None:
        """Every connection breaks, what is on its way is lost, and new ones are refused."""
        self._open.clear()
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def lose_replies(self) -> None:
        """The next thing that the server says is lost, and every connection breaks."""
        self._replies_are_lost = True

    def mend(self) -> None:
        """Connections are let through again."""
        self._replies_are_lost = False
        self._open.set()

    def close(self) -> None:
        """The end of the way."""
        self.cut()
        self.mend()
        self._listener.close()
