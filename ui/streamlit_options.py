"""Streamlit's options, each set here: no file and no variable of the environment changes them.

Streamlit reads `.streamlit/config.toml` in the home folder and in the working folder, which may come from
elsewhere. Such a file could open the server to pages of other hosts, or switch on an interface for programs.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

THEME = Path(__file__).with_name("theme.toml")


def options(host: str, port: int, base_path: str, upload_megabytes: int) -> dict[str, Any]:
    """The options that differ from Streamlit's defaults, or that the safety of the server rests on.

    The guard in front of Streamlit checks hosts, origins and sign-ins; Streamlit's own checks stay on.
    """
    return {
        "server.address": host,
        "server.port": port,
        "server.baseUrlPath": base_path.strip("/"),
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.allowRunOnSave": False,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.corsAllowedOrigins": [],
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.trustedUserHeaders": {},
        "server.maxUploadSize": upload_megabytes,
        "server.allowedHosts": [],
        "browser.gatherUsageStats": False,
        # Without it, Streamlit asks an outside host for the address of this machine.
        "browser.serverAddress": host,
        "client.allowedOrigins": [],
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "client.toolbarMode": "minimal",
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        # Streamlit walks all objects after each drawing of a part of a page, about 0.1 s of one core with the
        # libraries of the engine loaded. Python collects what is left by itself.
        "runner.postScriptGC": False,
        "secrets.files": [],
        "theme.base": "light",
        **_theme(),
    }


def apply(wanted: Mapping[str, Any]) -> None:
    """Set these options, and every other one to Streamlit's default.

    The process does not read the files again: nothing watches them.
    """
    for name in [name for name in os.environ if name.upper().startswith("STREAMLIT_")]:
        del os.environ[name]
    from streamlit import config

    defaults = config._config_options_template
    # An older Streamlit lacks some of them, and the danger with them.
    given = {name: value for name, value in wanted.items() if name in defaults}
    known = config.get_config_options(force_reparse=True, options_from_flags=given)
    for name, option in known.items():
        if name not in wanted and option.value != defaults[name].value:
            option.set_value(defaults[name].value, "alworkbench")


def _theme() -> dict[str, Any]:
    """The options of `theme.toml` by their full names."""

    def named(prefix: str, section: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in section.items():
            name = f"{prefix}.{key}"
            found |= named(name, value) if isinstance(value, dict) else {name: value}
        return found

    return named("theme", tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"])
