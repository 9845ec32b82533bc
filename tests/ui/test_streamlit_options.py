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
