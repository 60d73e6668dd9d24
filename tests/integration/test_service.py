"""The service as platforms and browsers reach it: a real process on a real port, a real SQLite file."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

TICKET = {"subject": "New phone, codes gone", "body": "No codes in the app on my new phone. How do I move them?"}
FIRSTLINE = str(Path(sys.executable).with_name("firstline"))


@dataclass
class Service:
    client: httpx.Client
    key: str
    printed: str
    database: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def service(project: Path, demo_var: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    port, database = free_port(), tmp_path_factory.mktemp("service") / "firstline.db"
    command = [FIRSTLINE, "serve", "desks/demo", "--var", str(demo_var), "--port", str(port), "--with-key"]
    process = subprocess.Popen(
        [*command, "--database", f"sqlite:///{database}"], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={"PYTHONUNBUFFERED": "1", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert process.stdout is not None
    printed = ""
    while "-d '" not in printed:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        printed += line
    key = re.search(r"fl_\w+", printed)
    assert key is not None
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield Service(client, key.group(), printed, database)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode in (0, -signal.SIGTERM), errors
    assert "Traceback" not in errors
    assert "codes in the app" not in errors


def bearer(service: Service) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.key}"}


def test_a_value_that_the_desk_does_not_have_is_told(service: Service) -> None:
    answer = service.client.post("/v1/triage", json=TICKET | {"set_fields": {"team": "boks"}}, headers=bearer(service))
    told = problem(answer, 422, "invalid_request")
    assert str(told["detail"]).startswith("set_fields.team: unknown team 'boks'; use one of frontline")


def problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = response.json()
    assert body["code"] == code
    assert body["status"] == status
    return body


def test_it_says_where_it_is_with_a_key_and_a_line_to_paste(service: Service) -> None:
    assert str(service.client.base_url).rstrip("/") in service.printed
    assert "curl -s" in service.printed


def test_a_suggestion_is_made_stored_and_given_back(service: Service) -> None:
    made = service.client.post("/v1/suggestions", json=TICKET, headers=bearer(service))
    assert made.status_code == 201
    suggestion = made.json()
    assert suggestion["disposition"] == "draft"
    again = service.client.get(f"/v1/suggestions/{suggestion['id']}", headers=bearer(service))
    assert again.json() == suggestion


def test_the_pasted_curl_line_works(service: Service) -> None:
    line = service.printed[service.printed.index("curl") :].replace("\\\n", " ")
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout)["disposition"] == "draft"


def test_triage_stores_nothing_unless_asked(service: Service) -> None:
    triaged = service.client.post("/v1/triage", json=TICKET, headers=bearer(service)).json()
    assert triaged["disposition"] == "open"
    problem(service.client.get(f"/v1/suggestions/{triaged['id']}", headers=bearer(service)), 404, "not_found")
    kept = service.client.post("/v1/triage?store=true", json=TICKET, headers=bearer(service)).json()
    assert service.client.get(f"/v1/suggestions/{kept['id']}", headers=bearer(service)).json() == kept


def test_search_keeps_internal_articles_apart(service: Service) -> None:
    query = {"query": "Kestrel payments arrive without the reference", "limit": 10}
    public = service.client.post("/v1/search", json=query, headers=bearer(service)).json()["hits"]
    assert {hit["audience"] for hit in public} == {"public"}
    internal = service.client.post("/v1/search", json={**query, "audience": "internal"}, headers=bearer(service))
    assert internal.json()["hits"][0]["article_id"] == "kb-307"
    assert internal.json()["hits"][0]["why"]["terms"]
    assert service.client.post("/v1/search", json={"query": "the"}, headers=bearer(service)).json() == {"hits": []}


def test_the_desk_tells_its_labels_and_versions(service: Service) -> None:
    desk = service.client.get("/v1/desk", headers=bearer(service)).json()
    assert desk["id"] == "demo"
    teams = {team["value"]: team for team in desk["fields"]["team"]}
    assert teams["trust"]["tier"] == 3
    assert teams["trust"]["description"]
    assert desk["versions"]["generation"] == "000001"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_key(service: Service, path: str) -> None:
    assert service.client.get(path).json() == {"status": "ok"}


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer nonsense", "Bearer fl_" + "0" * 38, "Basic Zm9vOmJhcg=="])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/triage"), ("POST", "/v1/suggestions"), ("GET", "/v1/suggestions/x"), ("POST", "/v1/search"),
     ("GET", "/v1/desk")],
)  # fmt: skip
def test_without_a_valid_key_there_is_nothing(service: Service, key: str, method: str, path: str) -> None:
    body = {"query": "x"} if path == "/v1/search" else TICKET
    response = service.client.request(method, path, json=body, headers={"Authorization": key})
    problem(response, 401, "not_authenticated")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"channel":"email"}', 422, "invalid_request"),
        (b'{"body":"x","colour":"red"}', 422, "invalid_request"),
        (b'{"body":"x","attributes":{"a":NaN}}', 400, "invalid_json"),
        (b'{"body":"x","attributes":{"a":1e999}}', 400, "invalid_json"),
        (b'{"body":5}', 422, "invalid_request"),
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b'{"body":"x","attributes":{"a":' + b"[" * 70 + b"]" * 70 + b"}}", 400, "invalid_json"),
        (b'{"body":"x","body":"y"}', 400, "invalid_json"),
        (b'{"body":' + b'{"a":' * 70_000, 400, "invalid_json"),
        (b'{"body":"x","attributes":{"a":' + b"9" * 5_000 + b"}}", 400, "invalid_json"),
        (b'{"body":"' + b"a" * 1_500_000 + b'"}', 413, "body_too_large"),
    ],
)
def test_a_bad_body_is_a_problem_document(service: Service, body: bytes, status: int, code: str) -> None:
    headers = bearer(service) | {"Content-Type": "application/json"}
    problem(service.client.post("/v1/suggestions", content=body, headers=headers), status, code)


def test_a_body_without_length_is_counted_as_it_comes(service: Service) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"body":"'
        for _ in range(200):
            yield b"a" * 65_536

    headers = bearer(service) | {"Content-Type": "application/json"}
    problem(service.client.post("/v1/suggestions", content=endless(), headers=headers), 413, "body_too_large")


def test_a_compressed_body_is_refused(service: Service) -> None:
    headers = bearer(service) | {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = service.client.post("/v1/suggestions", content=b"x", headers=headers)
    problem(response, 415, "unsupported_encoding")


@pytest.mark.parametrize(
    "body",
    [
        b'{"body":"\\ud800 lone surrogate in the middle of a sentence about invoices"}',
        b'{"subject":"", "body":"   "}',
        '{"body":"😀"}'.encode(),
        b'{"body":"a\\u0000b null in the text of the ticket"}',
        b'{"body":"x"}',
        b'{"body":"' + b"<div>" * 30_000 + b'"}',
        b'{"body":"' + b"a" * 190_000 + b'"}',
    ],
)
def test_odd_tickets_get_an_answer_quickly(service: Service, body: bytes) -> None:
    headers = bearer(service) | {"Content-Type": "application/json"}
    start = time.perf_counter()
    response = service.client.post("/v1/suggestions", content=body, headers=headers)
    assert response.status_code == 201, response.text
    assert response.json()["disposition"] == "handoff"
    assert time.perf_counter() - start < 5


def test_nothing_at_an_unknown_address(service: Service) -> None:
    problem(service.client.get("/v1/nothing"), 404, "not_found")
    problem(service.client.put("/v1/triage"), 405, "method_not_allowed")


def test_the_console_sends_who_is_not_signed_in_to_sign_in(service: Service) -> None:
    answer = service.client.get("/console?q=vat")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in?next=%2Fconsole%3Fq%3Dvat")
    page = service.client.get(answer.headers["location"])
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    style = service.client.get(re.findall(r'href="(/console/static/[^"]+\.css)"', page.text)[0])
    assert style.headers["content-type"].startswith("text/css")
    assert "immutable" in style.headers["cache-control"]
    assert service.client.get("/console/static/older/console.css").status_code == 404


def test_the_key_is_nowhere_in_the_database(service: Service) -> None:
    for path in service.database.parent.iterdir():
        assert service.key.encode() not in path.read_bytes()


def test_a_taken_port_is_one_sentence(project: Path, demo_var: Path, service: Service) -> None:
    port = str(service.client.base_url.port)
    command = [FIRSTLINE, "serve", "desks/demo", "--var", str(demo_var), "--port", port]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "choose another with --port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_without_the_scope_sees_no_internal_article(service: Service, project: Path) -> None:
    database = f"sqlite:///{service.database}"
    command = [FIRSTLINE, "keys", "create", "desks/demo", "--scope", "suggest", "--database", database]
    made = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    weak = {"Authorization": f"Bearer {made.stdout.strip()}"}
    ticket = {"subject": "Kestrel", "body": "Payments from Kestrel Business arrive without the reference line."}
    seen = service.client.post("/v1/suggestions", json=ticket, headers=weak).json()
    assert seen["articles"]
    assert {hit["audience"] for hit in seen["articles"]} == {"public"}
    again = f"/v1/suggestions/{seen['id']}"
    assert service.client.get(again, headers=weak).json() == seen
    whole = service.client.get(again, headers=bearer(service)).json()
    assert "internal" in {hit["audience"] for hit in whole["articles"]}
    problem(service.client.post("/v1/search", json={"query": "x"}, headers=weak), 403, "not_allowed")


@pytest.mark.parametrize("path", ["/console/static/console.css", "/health/live", "/v1/desk"])
def test_limits_hold_at_every_address(service: Service, path: str) -> None:
    encoded = service.client.request("GET", path, headers={"Content-Encoding": "gzip"})
    problem(encoded, 415, "unsupported_encoding")
    problem(service.client.request("GET", path, content=b"a" * 1_500_000), 413, "body_too_large")
