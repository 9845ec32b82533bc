"""The URL of a project's database on a PostgreSQL server, and the file in the project that names it.

The file `store.json` holds the URL without its password. The password comes, each time, from the variable
ALWORKBENCH_STORE, or from where the client library of PostgreSQL looks: PGPASSWORD or a password file.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.errors import InvalidStoreUrl, ProjectDamaged
from alworkbench.core.reasons import why_unreadable

VARIABLE = "ALWORKBENCH_STORE"
DRIVER = "postgresql+psycopg"
OPTIONS = frozenset(
    {"options", "sslmode", "sslrootcert", "target_session_attrs", "passfile", "connect_timeout"}
)
"""Parameters that a URL may have. None of them is a secret, and none makes the client read other settings."""


def parsed(text: str) -> URL:
    """The URL of a database that a user gave, with its password or that of ALWORKBENCH_STORE.

    The variable is used only if it is the same URL but for the password, so that the server of another
    project never receives it. Raises InvalidStoreUrl, which never repeats the URL.
    """
    url = _read(text)
    given = os.environ.get(VARIABLE)
    if url.password is None and given:
        full = _read(given)
        if without_password(full) == url:
            return full
    return url


def _read(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidStoreUrl("it is not a URL") from None
    if url.drivername not in ("postgresql", DRIVER):
        raise InvalidStoreUrl("it does not begin with postgresql+psycopg://")
    if not url.database:
        raise InvalidStoreUrl("it names no database")
    if unknown := sorted(set(url.query) - OPTIONS):
        raise InvalidStoreUrl(
            f"it has the parameter {unknown[0][:40]!r}; known are {', '.join(sorted(OPTIONS))}"
        )
    if find_spec("psycopg") is None:
        raise InvalidStoreUrl(
            "the package psycopg is missing; install it with `pip install 'alworkbench[postgresql]'`"
        )
    return url.set(drivername=DRIVER)


def without_password(url: URL) -> URL:
    """The URL as it may be written and printed."""
    return URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    )


def write_pointer(path: Path, url: URL) -> None:
    """Name the database in the project's file `path`, without the password."""
    text = without_password(url).render_as_string(hide_password=False)
    write_atomically(path, json.dumps({"url": text}, indent=1).encode())


def read_pointer(path: Path) -> URL:
    """The database that the project's file `path` names. Raises ProjectDamaged and InvalidStoreUrl."""
    try:
        found = json.loads(path.read_bytes())
        text = found["url"]
    except OSError as error:
        raise ProjectDamaged(path.parent, f"{path.name}: {why_unreadable(error)}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise ProjectDamaged(path.parent, f"{path.name} names no database") from error
    if not isinstance(text, str):
        raise ProjectDamaged(path.parent, f"{path.name} names no database")
    return parsed(without_password(_read(text)).render_as_string(hide_password=False))
