"""The dashboard as a real server, and visitors of it who speak Streamlit's own protocol, light enough for a class."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from neurorama import places

EARLY = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN


@contextmanager
def served(folder: Path, script: str = "main.py", **environment: str) -> Iterator[str]:
    """The address of the dashboard on a free port, started from another folder than its own."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(places.app() / script), f"--server.port={port}"]
    with (
        open(folder / "log", "ab") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **environment}) as app,
    ):
        try:
            end = time.monotonic() + 90
            while True:
                try:
                    with urlopen(f"http://localhost:{port}/_stcore/health", timeout=2):
                        break
                except OSError:
                    assert time.monotonic() < end, (folder / "log").read_text()
                    time.sleep(0.2)
            yield f"localhost:{port}"
        finally:
            app.kill()


class Visitor:
    """One browser tab, without a browser: it asks for a page, presses buttons, and asks again where it is told to.

    Attributes:
        answers: seconds that the page took for each answer.
        buttons: key -> id of the buttons that the newest whole page has.
        faults: what the page showed as an error.
    """

    def __init__(self, server: str, page: str, headers: Mapping[str, str] | None = None) -> None:
        self._server, self._page, self._headers = server, page, headers
        self.answers: list[float] = []
        self.buttons: dict[str, str] = {}
        self.faults: list[str] = []
        self._again: dict[str, float] = {}  # fragment -> seconds between two questions

    async def __aenter__(self) -> Visitor:
        address = f"ws://{self._server}/_stcore/stream"
        words = {"subprotocols": ["streamlit"], "max_size": None, "open_timeout": 60}
        self._socket = await connect(address, additional_headers=self._headers, **words)  # type: ignore[arg-type]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def ask(self, query: str, press: str = "", fragment: str = "") -> None:
        """Asks for the page, or a fragment of it, and reads the answer to its end."""
        question = BackMsg()
        question.rerun_script.query_string = query
        question.rerun_script.page_name = self._page
        if fragment:
            question.rerun_script.fragment_id = fragment
            question.rerun_script.is_auto_rerun = True
        if press:
            question.rerun_script.widget_states.widgets.add(id=self.buttons[press], trigger_value=True)
        start = time.monotonic()
        await self._socket.send(question.SerializeToString())
        await self._answer()
        self.answers.append(time.monotonic() - start)

    async def _answer(self) -> None:
        """Reads to the end of a run of the script, and of the one that follows where the script wants that."""
        while True:
            message = ForwardMsg()
            message.ParseFromString(await self._socket.recv())  # type: ignore[arg-type]
            kind = message.WhichOneof("type")
            if kind == "new_session" and not message.metadata.run.fragment_ids:
                self.buttons.clear()
                self._again.clear()
            elif kind == "auto_rerun":
                self._again[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    self._again.pop(fragment, None)
            elif kind == "delta":
                self._element(message.delta.new_element)
            elif kind == "script_finished" and message.script_finished != EARLY:
                return

    def _element(self, element: object) -> None:
        kind = element.WhichOneof("type")  # type: ignore[attr-defined]
        if kind == "button":
            self.buttons[element.button.id.split("-", 2)[2]] = element.button.id  # type: ignore[attr-defined]
        elif kind == "alert" and element.alert.format == element.alert.ERROR:  # type: ignore[attr-defined]
            self.faults.append(element.alert.body)  # type: ignore[attr-defined]
        elif kind == "exception":
            self.faults.append(element.exception.message)  # type: ignore[attr-defined]

    async def watch(self, query: str, seconds: float) -> None:
        """Asks again as often as the page wants it, until it wants no more."""
        end = time.monotonic() + seconds
        while self._again:
            assert time.monotonic() < end, f"still asking after {seconds} s: {self._again}"
            for fragment, pause in list(self._again.items()):
                await asyncio.sleep(pause)
                await self.ask(query, fragment=fragment)
