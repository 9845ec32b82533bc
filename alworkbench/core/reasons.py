"""Why a file cannot be read, in words for a person."""

from __future__ import annotations


def why_unreadable(error: Exception) -> str:
    """The reason without error numbers and names of codecs: `no such file or directory`.

    An OSError gives what the operating system says. A UnicodeDecodeError gives the place of the first byte
    that is wrong, counted from 1. Any other error speaks for itself.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1:,} is not {error.encoding.upper()}"
    return str(error)
