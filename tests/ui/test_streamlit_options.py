"""Whatever a file or the environment says: the options of Streamlit are those that we set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ui.streamlit_options import options

ROOT = Path(__file__).parents[2]
OURS = options("127.0.0.1", 8501, "", 16)
HOSTILE = """
[server]
address = "0.0.0.0"
enableCORS = false
enableXsrfProtection = false
enableAgentApi = true
corsAllowedOrigins = ["http://evil.example"]
trustedUserHeaders = {"X-User" = "email"}
enableStaticServing = true
sslCertFile = "/tmp/evil.pem"
unsafeMetricsUserAttributes = ["email"]
[browser]
gatherUsageStats = true
serverAddress = "evil.example"
[client]
allowedOrigins = ["http://evil.example"]
showErrorDetails = "full"
[logger]
level = "debug"
[secrets]
files = ["/tmp/evil.toml"]
[theme]
primaryColor = "#ff0000"
base = "dark"
[theme.light]
primaryColor = "#ff0000"
[[theme.fontFaces]]
family = "evil"
url = "http://evil.example/font.woff2"
"""
READ = """
import json
from streamlit import config
from ui.streamlit_options import apply, options
apply(options("127.0.0.1", 8501, "", 16))
values = {name: option.value for name, option in config.get_config_options().items()}
print(json.dumps(values, default=str))
"""


def read(folder: Path, **variables: str) -> dict[str, Any]:
    """Every option in a process that starts in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read(tmp_path_factory.mktemp("plain"))


def test_every_option_is_one_that_streamlit_knows_and_is_set(plain: dict[str, Any]) -> None:
    assert set(OURS) <= set(plain)
    assert {name: plain[name] for name in OURS} == OURS


def test_a_hostile_file_and_environment_change_no_option(
    plain: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text(HOSTILE)
    found = read(
        tmp_path,
        STREAMLIT_SERVER_ENABLE_CORS="false",
        STREAMLIT_SERVER_COOKIE_SECRET="known",
        STREAMLIT_GLOBAL_DEVELOPMENT_MODE="true",
    )
    changed = {name for name in plain if found[name] != plain[name]}
    assert changed <= {"server.cookieSecret"}  # random in each process
    assert found["server.cookieSecret"] != "known"


def light_of(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.1)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((light_of(one), light_of(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["green", "yellow", "red", "blue"])
def test_words_of_a_notice_can_be_read(scheme: str, kind: str) -> None:
    """Of success, warning, error and information; 4.5 is what WCAG asks of words of this size."""
    words, ground = (OURS[f"theme.{scheme}.{kind}{part}Color"] for part in ("Text", "Background"))
    assert contrast(words, ground) >= 4.5
    assert contrast(words, OURS[f"theme.{scheme}.backgroundColor"]) >= 4.5
