"""From the text of `--engine` to the engine."""

from __future__ import annotations

from alworkbench.core.errors import EngineError
from alworkbench.engines.engine import Engine
from alworkbench.engines.local_engine import LocalEngine

FORMS = "local, local:PROCESSES, ray or ray://HOST:PORT"


def open_engine(text: str) -> Engine:
    """`local` and `local:4` are processes of this machine; `ray` and `ray://HOST:PORT` a running cluster.

    Raises EngineError for another text and where the cluster cannot be reached, ExtraMissing without Ray.
    """
    kind, _, rest = text.partition(":")
    if kind == "local" and (text == "local" or (rest.isdecimal() and int(rest))):
        return LocalEngine(int(rest) if rest else None)
    address = rest.removeprefix("//")
    host, _, port = address.rpartition(":")
    if text == "ray" or (kind == "ray" and rest.startswith("//") and host and port.isdecimal()):
        from alworkbench.engines.ray_engine import RayEngine

        return RayEngine(address or "auto")
    raise EngineError(f"There is no engine {text!r}. Known are {FORMS}.")
