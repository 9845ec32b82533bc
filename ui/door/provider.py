"""An OpenID Connect provider that signs people in, as the options of `alworkbench serve` name it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from alworkbench.core.errors import InvalidServing
from ui.door.addresses import is_loopback

SECRET_VARIABLE = "ALWORKBENCH_OIDC_SECRET"


@dataclass(frozen=True, slots=True)
class Oidc:
    """A provider, and how this server is known there."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    claim: str = "email"
    """What is compared with the names of people."""

    @property
    def host(self) -> str:
        """The name of the provider that the sign-in page shows."""
        return urlsplit(self.issuer).netloc


def oidc_of(
    issuer: str | None, client_id: str | None, claim: str, secret: str | None
) -> Oidc | None:
    """The provider that the options name; None without one. Raises InvalidServing."""
    if issuer is None and client_id is None:
        return None
    if not issuer or not client_id or not secret:
        raise InvalidServing(
            f"A provider needs --oidc-issuer, --oidc-client, and the secret of the client in the variable "
            f"{SECRET_VARIABLE} of the environment. The server was not started."
        )
    parts = urlsplit(issuer)
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not local and (parts.scheme != "https" or not parts.hostname):
        raise InvalidServing(f"--oidc-issuer {issuer!r} must begin with https://.")
    try:
        import authlib  # noqa: F401
    except ImportError:
        raise InvalidServing(
            'A provider needs a further package: pip install "alworkbench[oidc]".'
        ) from None
    return Oidc(issuer.rstrip("/"), client_id, secret, claim)
