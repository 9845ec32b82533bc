"""The addresses under which a browser may reach the server: scheme, host and port, compared exactly."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from alworkbench.core.errors import InvalidServing

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ANY_ADDRESS = ("0.0.0.0", "::")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """An origin: where the browser's address bar points."""

    scheme: str
    host: str
    """Lower case; an IPv6 address stands in brackets."""
    port: int

    @property
    def authority(self) -> str:
        """As a Host header and the end of an Origin write it: without the default port of the scheme."""
        bare = self.port == _DEFAULT_PORTS[self.scheme]
        return self.host if bare else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """As an Origin header writes it."""
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """All addresses of one server."""

    known: tuple[Address, ...]

    def named(self, host: str | None) -> tuple[Address, ...]:
        """The addresses with this Host header; none for a name that is not of this server."""
        wanted = (host or "").lower()
        return tuple(each for each in self.known if each.authority == wanted)

    @property
    def secure(self) -> bool:
        """Whether every address but those of this machine is https: cookies are then sent over TLS only."""
        others = [each for each in self.known if each.host not in LOOPBACK]
        return bool(others) and all(each.scheme == "https" for each in others)


def is_loopback(host: str) -> bool:
    """Whether this address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """The host as addresses write it: an IPv6 address stands in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def addresses_of(host: str, port: int, allowed: Iterable[str]) -> Addresses:
    """The addresses of a server that listens on `host` and `port`, and those that `--allowed-host` names.

    A server that listens on every interface is known by the names of this machine's loopback alone, unless
    others are named. Raises InvalidServing for a name that is none.
    """
    names = [] if host in ANY_ADDRESS else [bracketed(host.lower())]
    if host in ANY_ADDRESS or is_loopback(host):
        names += LOOPBACK
    own = [Address("http", name, port) for name in names]
    named = [parse_address(text, port) for text in allowed]
    return Addresses(tuple(dict.fromkeys([*own, *named])))


def parse_address(text: str, port: int) -> Address:
    """NAME, NAME:PORT or SCHEME://NAME[:PORT]. Raises InvalidServing.

    Without a scheme it is http, with the port of the server where none is given. With a scheme, a missing
    port is the default one of the scheme.
    """
    found = text.strip().lower()
    with_scheme = found if "://" in found else f"http://{found}"
    try:
        parts = urlsplit(with_scheme)
        given, host = parts.port, bracketed(parts.hostname or "")
    except ValueError:
        parts, given, host = urlsplit("http://"), None, ""
    wrong = parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host) or given == 0
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if wrong or more:
        raise InvalidServing(
            f"--allowed-host {text!r} is no host name. Give NAME, NAME:PORT, or https://NAME where a proxy "
            f"ends TLS, as the address bar of the browser shows it."
        )
    default = _DEFAULT_PORTS[parts.scheme] if "://" in found else port
    return Address(parts.scheme, host, given or default)


def parse_base_path(text: str) -> str:
    """The path below which everything is served: empty, or like `/birds`. Raises InvalidServing."""
    path = text.strip().strip("/")
    if not path:
        return ""
    parts = path.split("/")
    plain = all(re.fullmatch(r"[A-Za-z0-9._~-]+", part, re.ASCII) for part in parts)
    if not plain or "." in parts or ".." in parts:
        raise InvalidServing(
            f"--base-path {text!r} is no path. Give letters, digits, hyphens and slashes, such as /birds."
        )
    return "/" + path
