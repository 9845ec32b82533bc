"""Passwords: hashed with argon2id, checked in the same time whether or not the person exists.

The parameters are the defaults of argon2-cffi (the low-memory recommendation of RFC 9106: 64 MiB, 3 passes).
"""

from __future__ import annotations

import secrets
import threading
from functools import cache
from typing import TYPE_CHECKING

from alworkbench.core.errors import WeakPassword
from alworkbench.core.names import composed

if TYPE_CHECKING:
    from argon2 import PasswordHasher

FEWEST, MOST = 10, 1000
"""Characters of a password."""

READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of made passwords: without letters and digits that look alike."""

_turns = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB: many sign-ins at once wait for each other."""


def made_password() -> str:
    """A new random password that can be read aloud: 79 bits, in groups of four letters and digits."""
    letters = "".join(secrets.choice(READABLE) for _ in range(16))
    return "-".join(letters[n : n + 4] for n in range(0, 16, 4))


def hash_password(password: str) -> str:
    """The argon2id hash with its parameters and salt. Raises WeakPassword."""
    if not FEWEST <= len(password) <= MOST:
        raise WeakPassword(len(password), FEWEST, MOST)
    with _turns:
        return _hasher().hash(_bytes(password))


def fits(password: str, password_hash: str | None) -> bool:
    """Whether this is the password of the hash. Without a hash it is not, and takes as long to say so."""
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(password) > MOST:
        return False
    with _turns:
        try:
            _hasher().verify(password_hash or _nobody(), _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether new hashes are made with other parameters."""
    return _hasher().check_needs_rehash(password_hash)


def _bytes(password: str) -> bytes:
    """One password can be typed in two compositions; both fit."""
    return composed(password).encode("utf-8", "surrogatepass")


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody() -> str:
    """The hash of a password that nobody has."""
    import secrets

    return _hasher().hash(secrets.token_bytes(32))
