"""Reverse proxies that may say who a request comes from; nobody else's word is taken."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from alworkbench.core.errors import InvalidServing

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxies:
    """The addresses of trusted proxies, and the header in which they name the person."""

    networks: tuple[Network, ...] = ()
    user_header: str | None = None
    """In lower case; None: they name nobody, and only say which address a request comes from."""

    def trusts(self, address: str | None) -> bool:
        """Whether a connection from this address comes from a trusted proxy."""
        try:
            found = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)

    def named_person(self, scope: Scope, headers: Headers) -> str | None:
        """The person that a trusted proxy names; None without one, or where the name comes from elsewhere."""
        if self.user_header is None or not self.trusts(peer_of(scope)):
            return None
        values = headers.getlist(self.user_header)
        if len(values) != 1:
            return None  # two names: the proxy let one of the browser's pass
        raw = values[0].encode("latin-1")  # headers are bytes; names beyond ASCII are UTF-8
        return raw.decode("utf-8", errors="replace").strip() or None

    def client_of(self, scope: Scope, headers: Headers) -> str:
        """The address that failed sign-ins count for: the last one that is not a trusted proxy."""
        peer = peer_of(scope) or ""
        if not self.trusts(peer):
            return peer
        chain = [part.strip() for part in ",".join(headers.getlist("x-forwarded-for")).split(",")]
        for address in reversed(chain):
            if address and not self.trusts(address):
                return address[:64]
        return peer


def peer_of(scope: Scope) -> str | None:
    """The address at the other end of the connection."""
    client = scope.get("client")
    return None if client is None else str(client[0])


def proxies_of(addresses: Iterable[str], user_header: str | None) -> Proxies:
    """Parse `--trusted-proxy` and `--user-header`. Raises InvalidServing."""
    networks = []
    for text in addresses:
        try:
            networks.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            raise InvalidServing(
                f"--trusted-proxy {text!r} is no IP address. Give an address such as 10.0.0.5, or a network "
                f"such as 10.0.0.0/28."
            ) from None
    if user_header is not None:
        if not networks:
            raise InvalidServing(
                "--user-header needs --trusted-proxy ADDRESS: from elsewhere, anybody could write any name "
                "into the header. Name the address of the proxy."
            )
        if not user_header.isascii() or not user_header.replace("-", "").isalnum():
            raise InvalidServing(f"--user-header {user_header!r} is no name of a header.")
        user_header = user_header.lower()
    return Proxies(tuple(networks), user_header)
