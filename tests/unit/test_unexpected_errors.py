import logging
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fixed_desk import FixedDesk
from starlette.types import Message, Receive, Scope, Send

from serve.app import create_app
from serve.safe_answers import SafeAnswers
from serve.security.keys import SCOPES, new_key
from serve.security.rate_limits import RateLimiter
from serve.services import Services, Stores, utc_now
from serve.storage.database import Database

SECRET = "the customer's own words"


class FailingEngine:
    """Raises what nobody foresaw, with ticket text in it."""

    def decide(self, *_: object) -> None:
        raise ArithmeticError(SECRET)


@pytest.fixture
def app_and_key(tmp_path: Path) -> tuple[FastAPI, str]:
    database = Database.open(f"sqlite:///{tmp_path / 'x.db'}")
    desks = {"demo": FixedDesk("demo", FailingEngine())}
    services = Services(desks, Stores.of(database), RateLimiter(database))  # type: ignore[arg-type]
    key = new_key()
    services.keys.add(key, "demo", SCOPES, utc_now(), utc_now().replace(year=2100))
    return create_app(services, "0"), key


@pytest.mark.anyio
async def test_an_unforeseen_error_is_a_problem_without_its_text(
    app_and_key: tuple[FastAPI, str], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    app, key = app_and_key
    with caplog.at_level(logging.DEBUG):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.example") as client:
            answer = await client.post(
                "/v1/suggestions", json={"body": "x"}, headers={"Authorization": f"Bearer {key}"}
            )
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert SECRET not in answer.text
    assert "ArithmeticError" in caplog.text
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_an_answer_that_fails_on_its_way_is_cut_off_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ArithmeticError(SECRET)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await SafeAnswers(app)({"type": "http", "headers": []}, receive, send)
    (start,) = sent
    assert (b"x-content-type-options", b"nosniff") in start["headers"]
    assert "ArithmeticError" in caplog.text
    assert SECRET not in caplog.text
