"""`alworkbench serve` in a process of its own, and what its sockets are connected to."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from alworkbench.cli.main import main; main()")
START_SECONDS = 90.0


def command(*words: str, typed: str = "") -> str:
    """Run `alworkbench WORDS`; returns what it printed."""
    done = subprocess.run(
        [*COMMAND, *words],
        input=typed,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    address: str
    """As it was printed."""

    def connections(self) -> list[tuple[str, str]]:
        """Local and remote address of every TCP and UDP socket of the process; 0.0.0.0 where it listens."""
        mine = set()
        for entry in Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                mine.add(str(entry.readlink()))
            except OSError:
                continue  # closed in the meantime
        found = []
        for table in ("tcp", "tcp6", "udp", "udp6"):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                words = line.split()
                if f"socket:[{words[9]}]" in mine:
                    found.append((_address(words[1]), _address(words[2])))
        return found


def _address(text: str) -> str:
    raw = bytes.fromhex(text.partition(":")[0])
    words = b"".join(raw[n : n + 4][::-1] for n in range(0, len(raw), 4))
    return str(ipaddress.ip_address(words))


@contextmanager
def serving(
    folder: Path, port: int, *words: str, cwd: Path = ROOT, **variables: str
) -> Iterator[Served]:
    """`alworkbench serve` of a project until the end of the block; Ctrl-C must end it well."""
    log = folder / "serve.log"
    with _serving(log, port, ("--project", str(folder), *words), cwd, variables) as served:
        yield served


@contextmanager
def serving_home(folder: Path, port: int) -> Iterator[Served]:
    """`alworkbench serve --home` until the end of the block; Ctrl-C must end it well."""
    log = folder.with_suffix(".log")
    with _serving(log, port, ("--home", str(folder)), ROOT, {}) as served:
        yield served


@contextmanager
def _serving(
    log: Path, port: int, words: tuple[str, ...], cwd: Path, variables: dict[str, str]
) -> Iterator[Served]:
    options = ("--port", str(port), "--device", "cpu", "--json")
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [*COMMAND, "serve", *words, *options],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            printed = "".join(process.stdout.readline() for _ in range(3))
            assert "address" in printed, log.read_text()
            _wait_for(port)
            yield Served(process, json.loads(printed)["address"])
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0, log.read_text()
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not listen")


@contextmanager
def stripping_proxy(prefix: str, port: int, target: int) -> Iterator[None]:
    """A proxy that removes a prefix of the path, and answers 404 to everything outside of it."""
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        while True:
            try:
                browser, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_relay, args=(browser, prefix, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listener.close()


def _relay(browser: socket.socket, prefix: str, target: int) -> None:
    """One request of a connection, and its answer; a WebSocket as long as it lasts."""
    with browser, socket.create_connection(("127.0.0.1", target)) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            got = browser.recv(65536)
            if not got:
                return
            head += got
        method, path, rest = head.split(b" ", 2)
        inside = path.removeprefix(prefix.encode())
        if inside == path:
            browser.sendall(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            return
        if b"upgrade: websocket" not in head.lower():
            first, _, others = rest.partition(b"\r\n")
            kept = [x for x in others.split(b"\r\n") if not x.lower().startswith(b"connection:")]
            rest = b"\r\n".join([first, b"Connection: close", *kept])
        server.sendall(b" ".join([method, inside or b"/", rest]))
        up = threading.Thread(target=_copy, args=(browser, server), daemon=True)
        up.start()
        _copy(server, browser)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
