"""A class on one dashboard: thirty at once, each with a name and a password, and nobody else."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus

from neurorama import InputError, hosts, places, users
from neurorama.cli import app as command
from neurorama.store import Store
from parts import people

from .serving import Visitor, served

QUERY = "exhibit=message_passing/dagnn&steps=12&depth=4"
HTML = {"Accept": "text/html"}
T = TypeVar("T")


def apart(doing: Coroutine[Any, Any, T]) -> T:
    """Its result, from an event loop in a thread of its own: Playwright leaves one running in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, doing).result()


@pytest.mark.slow
def test_thirty_visitors_press_run_at_once(tmp_path: Path, own_data_folder: Path) -> None:
    visitors, most = 30, 240.0

    async def visit(server: str, number: int, all_here: asyncio.Barrier) -> Visitor:
        async with Visitor(server, "exhibit") as visitor:
            await visitor.ask(QUERY)
            await all_here.wait()
            visitor.answers.clear()
            mine = f"{QUERY}&seed={number + 1}"
            await visitor.ask(mine, press="run-button")
            await visitor.watch(mine, most)
            return visitor

    async def whole_class(server: str) -> list[Visitor]:
        async with Visitor(server, "exhibit") as teacher:  # whose run the others find
            await teacher.ask(QUERY)
            await teacher.watch(QUERY, most)
        all_here = asyncio.Barrier(visitors)
        return await asyncio.gather(*(visit(server, number, all_here) for number in range(visitors)))

    with served(tmp_path) as server:
        seen = apart(whole_class(server))
        with Store() as store:
            runs = store.runs(limit=100)
    assert not [fault for visitor in seen for fault in visitor.faults]
    assert {run.state for run in runs} == {"done"}
    assert {run.params["seed"] for run in runs} == set(range(visitors + 1))
    assert len(runs) == visitors + 1  # and the teacher's
    assert {run.frames for run in runs} == {13}
    answers = np.array([one for visitor in seen for one in visitor.answers])
    print(
        f"{visitors} of {visitors} runs done, frames lost: 0; {len(answers)} answers, 95 % of them within "
        f"{np.quantile(answers, 0.95):.2f} s, half of them within {np.median(answers):.2f} s"
    )


# The password


@pytest.fixture
def class_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NEURORAMA_USERS", str(tmp_path / "class" / "users.json"))
    return users.file()


def test_only_hashes_are_kept_and_only_for_the_owner_of_the_file(class_file: Path) -> None:
    users.add("ann", "correct horse")
    users.add("bob@example.org", "battery staple")
    assert stat.S_IMODE(class_file.stat().st_mode) == 0o600
    kept = class_file.read_text()
    assert "correct" not in kept
    assert kept.count("$argon2id$") == 2
    assert users.names() == ["ann", "bob@example.org"]
    assert users.check("ann", "correct horse")
    assert not users.check("ann", "battery staple")
    assert not users.check("eve", "correct horse")
    before = users.stamp("ann")
    users.add("ann", "another horse")
    assert users.stamp("ann") != before
    assert not users.check("ann", "correct horse")
    users.remove("ann")
    assert users.stamp("ann") == ""
    secret = users.cookie_secret()
    assert users.cookie_secret() == secret
    assert stat.S_IMODE(class_file.with_name("cookie-secret").stat().st_mode) == 0o600


def test_bad_names_passwords_and_files_are_told(class_file: Path) -> None:
    for name in ("", "a b", "<script>", "a/b", ".a", "a" * 65, "ann\n"):
        with pytest.raises(InputError, match="name="):
            users.add(name, "correct horse")
    with pytest.raises(InputError, match="too short"):
        users.add("ann", "short")
    with pytest.raises(InputError, match="there are none"):
        users.remove("ann")
    class_file.parent.mkdir(exist_ok=True)
    class_file.write_text("[1")
    with pytest.raises(InputError, match="cannot be read"):
        users.names()


def test_users_on_the_command_line(class_file: Path) -> None:
    typed = CliRunner().invoke(command, ["users", "add", "ann"], input="correct horse\ncorrect horse\n")
    assert typed.exit_code == 0, typed.output
    assert "correct" not in typed.output
    assert CliRunner().invoke(command, ["users", "list"]).output == "ann\n"
    assert CliRunner().invoke(command, ["users", "rm", "ann"]).exit_code == 0
    assert users.names() == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machine_needs_no_login(host: str, class_file: Path) -> None:
    assert hosts._entrance(host) == "main.py"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_others_need_one(
    host: str, class_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="neurorama users add"):
        hosts.dashboard(host, 8501)
    users.add("ann", "correct horse")
    assert hosts._entrance(host) == "gate.py"
    folder = tmp_path / ".streamlit"
    folder.mkdir()
    (folder / "secrets.toml").write_text('[auth]\nredirect_uri = "x"\n')
    assert hosts._entrance(host) == "gate.py"  # not enough for Streamlit to log anybody in
    (folder / "secrets.toml").write_text('[auth]\nredirect_uri = "x"\ncookie_secret = "y"\nclient_id = "z"\n')
    assert hosts._entrance(host) == "main.py"


def test_a_dashboard_that_was_opened_to_others_by_hand_shows_nothing() -> None:
    config.set_option("server.address", "0.0.0.0")
    app = AppTest.from_file(str(places.app() / "dashboard.py"), default_timeout=60).run()
    assert "nobody asks who comes in" in app.error[0].value
    assert not app.title


def test_an_identity_provider_asks_first_and_then_names_the_owner() -> None:
    app = AppTest.from_file(str(places.app() / "dashboard.py"), default_timeout=60)
    app.user = {"is_logged_in": False}
    app.run()
    assert [one.key for one in app.button] == ["login"]
    assert len(app.get("page_link")) == 0
    inside = AppTest.from_file(str(places.app() / "dashboard.py"), default_timeout=60)
    inside.user = {"is_logged_in": True, "email": "ann@example.org"}
    inside.run()
    assert not inside.exception
    assert any("ann" in one.value for one in inside.sidebar.caption)


def test_limits_count_for_each_alone() -> None:
    most = people.MOST["logins"].amount
    assert all(people.allowed("logins", "limits-ann") for _ in range(most))
    assert not people.allowed("logins", "limits-ann")
    assert people.allowed("logins", "limits-bob")
    assert people.allowed("runs", "limits-ann")


@pytest.fixture
def gate(class_file: Path, tmp_path: Path) -> Iterator[str]:
    users.add("ann", "correct horse")
    users.add("bob", "battery staple")
    with served(tmp_path, "gate.py") as server:
        yield server


@pytest.mark.slow
def test_nothing_passes_the_gate_without_a_login(gate: str, own_data_folder: Path) -> None:
    def log_in(client: httpx.Client, name: str, password: str, **headers: str) -> httpx.Response:
        return client.post("/login", data={"name": name, "password": password}, headers=headers)

    forged = {people.HEADER: "ann"}

    async def refused(headers: dict[str, str]) -> bool:
        try:
            async with Visitor(gate, "exhibit", headers) as visitor:
                await visitor.ask("")
        except InvalidStatus as error:
            return error.response.status_code == 403
        return False

    async def runs_as(headers: dict[str, str]) -> Visitor:
        async with Visitor(gate, "exhibit", headers) as visitor:
            await visitor.ask(QUERY)
            await visitor.watch(QUERY, 120)
            return visitor

    with httpx.Client(base_url=f"http://{gate}") as client:
        page = client.get("/", headers=HTML)
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert client.get("/_stcore/host-config").status_code == 401
        assert client.get("/app/static/inter-latin-wght-normal.woff2", headers=forged).status_code == 401
        assert apart(refused({}))
        assert apart(refused(forged))
        assert "correct horse" not in client.get("/login").text
        wrong = log_in(client, "ann", "battery staple")
        assert wrong.status_code == 401
        assert not client.cookies
        assert "<b>" not in log_in(client, "<b>eve</b>", "whatever").text
        assert log_in(client, "ann", "correct horse", Origin="http://elsewhere.example").status_code == 403
        assert log_in(client, "ann", "correct horse").status_code == 303
        cookie = client.cookies["neurorama"]
        assert client.get("/", headers=HTML).status_code == 200
        kept = {"Cookie": f"neurorama={cookie}"}
        visitor = apart(runs_as({**kept, people.HEADER: "bob"}))
        assert not visitor.faults
        with Store() as store:
            assert [run.owner for run in store.runs()] == ["ann"]
        half = len(cookie) // 2
        assert apart(refused({"Cookie": f"neurorama={cookie[:half]}x{cookie[half + 1 :]}"}))
        users.add("ann", "another horse")  # ends her sessions
        assert client.get("/", headers=HTML).status_code == 303
        assert apart(refused(kept))
        answers = [log_in(client, "bob", f"guess number {number}").status_code for number in range(7)]
        assert answers == [401] * 5 + [429] * 2
        assert log_in(client, "bob", "battery staple").status_code == 429  # who guesses has to wait, right or not
