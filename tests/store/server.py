"""A PostgreSQL server for the tests: on loopback, started once in each process of tests, ended with it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

MISSING = "PostgreSQL is not installed here (on Debian: apt-get install postgresql)"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # no test here cuts the power of the server
    "max_connections": 80,
    "timezone": "Asia/Tokyo",
}
numbers = itertools.count()


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(named).resolve().parent if named else None


def as_user() -> list[str]:
    """PostgreSQL refuses to run as root: the beginning of a command that runs it as another user."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


class PostgresServer:
    """A server of its own in a temporary folder; `start` after `kill` is a start after a crash."""

    def __init__(self, **settings: object) -> None:
        """`settings` replace or add to those of `SETTINGS`. Raises RuntimeError where none can be started."""
        at = programs()
        if at is None or (as_user() and shutil.which("setpriv") is None):
            raise RuntimeError(MISSING)
        self.folder = Path(tempfile.mkdtemp(prefix="alworkbench-postgresql-"))
        own(self.folder)
        data = self.folder / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        made = [*as_user(), str(at / "initdb"), "-D", str(data), "-U", "tests", "-A", "trust"]
        # Words are sorted as people sort them, as on an ordinary server: nothing may rest on byte order.
        made += ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        made += ["--locale-provider=icu", "--icu-locale=en-US"]
        subprocess.run(made, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)
        rules = (data / "pg_hba.conf").read_text()
        (data / "pg_hba.conf").write_text(f"host all secretive 127.0.0.1/32 scram-sha-256\n{rules}")
        self._command = [*as_user(), str(at / "postgres"), "-D", str(data)]
        for name, value in (SETTINGS | {"port": port} | settings).items():
            self._command += ["-c", f"{name}={value}"]
        self.url = sa.URL.create("postgresql+psycopg", "tests", None, "127.0.0.1", port, "postgres")
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)
        self.start()

    def start(self) -> None:
        """Returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self.folder, stdout=log, stderr=log)
        engine = sa.create_engine(self.url)
        for _ in range(600):
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError:
                if self._process.poll() is not None:
                    raise
                time.sleep(0.05)
        engine.dispose()

    def kill(self) -> None:
        """End all of its processes with SIGKILL, as a machine that stops does."""
        if self._process is None:
            return
        first = self._process.pid
        for each in [first, *children(first)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._process.wait(30)
        self._process = None

    def remove(self) -> None:
        """End it and delete its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)


def children(process: int) -> list[int]:
    """The ids of the processes that this one has started."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in found.split()]


def own(folder: Path) -> None:
    """Give a folder to the user that runs the server."""
    if as_user():
        shutil.chown(folder, "postgres", "postgres")


@functools.cache
def server() -> sa.URL | None:
    """The URL of a running server; None where there is none to start."""
    try:
        return PostgresServer().url
    except RuntimeError:
        return None


def empty_database() -> str:
    """The URL of a new, empty schema on the server. Skips the test where there is no server."""
    pytest.importorskip("psycopg")
    url = server()
    if url is None:
        pytest.skip(MISSING)
    name = f"s{os.getpid()}_{next(numbers)}"
    run_on_server(f"CREATE SCHEMA {name}")
    made = url.update_query_dict({"options": f"-csearch_path={name}"})
    return made.render_as_string(hide_password=False)


def run_on_server(*statements: str, url: str | None = None) -> list[sa.Row]:
    """Run SQL, each statement in its own transaction; the rows of the last one."""
    engine = sa.create_engine(url or server(), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for statement in statements:
                result = connection.execute(sa.text(statement))
            return list(result) if result.returns_rows else []
    finally:
        engine.dispose()
