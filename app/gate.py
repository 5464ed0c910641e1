"""The dashboard with a password in front, for a class that shares it: `neurorama app --host ...` serves this file.

Nothing passes without a login: no page, no file, no socket. A session is a signed cookie; it ends when its user gets
another password or is removed.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from neurorama import users
from parts import serve
from parts.people import HEADER, allowed

os.environ["NEURORAMA_GATE"] = "password"

HERE = Path(__file__).parent
OPEN = {"/login", "/logout", "/_stcore/health"}
WEEK = 7 * 24 * 3600
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Neurorama</title><style>
body {{ font: 16px Inter, system-ui, sans-serif; background: #fbfaf7; color: #1b1f24; display: grid }}
form {{ display: grid; gap: 0.8rem; width: 18rem; margin: 18vh auto }} label {{ display: grid; gap: 0.2rem }}
input, button {{ font: inherit; padding: 0.5rem; border: 1px solid #b9b4a8; border-radius: 0.5rem }}
button {{ background: #0072B2; border-color: #0072B2; color: #fff }} p {{ color: #a94600; margin: 0 }}
</style><form method="post"><h1>Neurorama</h1><p role="alert">{fault}</p>
<label>Name <input name="name" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button></form></html>"""


class Gate:
    """Passes on who is logged in, with their name; sends everybody else to the login."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        name = inside(scope["session"])
        if name:
            others = [(key, value) for key, value in scope["headers"] if key != HEADER.encode()]
            await self._app({**scope, "headers": [*others, (HEADER.encode(), name.encode())]}, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["method"] == "GET" and b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            await RedirectResponse("/login", 303)(scope, receive, send)
        else:
            await PlainTextResponse("log in first", 401)(scope, receive, send)


def inside(session: dict[str, Any]) -> str:
    """Whose session it is; "" for nobody's, and for one that has ended."""
    name, stamp = str(session.get("name", "")), str(session.get("stamp", ""))
    return name if stamp and stamp == users.stamp(name) else ""


async def login(request: Request) -> Response:
    """The form, and what becomes of it."""
    if request.method == "GET":
        return form("")
    if urlsplit(request.headers.get("origin", "")).netloc not in ("", request.headers.get("host", "")):
        return form("Log in on this page, please.", 403)
    async with request.form(max_fields=4, max_files=0) as sent:
        name, password = str(sent.get("name", ""))[:64], str(sent.get("password", ""))[:1024]
    machine = request.client.host if request.client else ""
    if not all([allowed("logins", name), allowed("logins from a machine", machine)]):
        return form("Too many attempts; wait a minute.", 429)
    if not await run_in_threadpool(users.check, name, password):
        return form("Name or password is wrong.", 401)
    request.session.update(name=name, stamp=users.stamp(name))
    return RedirectResponse("/", 303)


async def logout(request: Request) -> Response:
    request.session.clear()
    return RedirectResponse("/login", 303)


def form(fault: str, status: int = 200) -> Response:
    return HTMLResponse(PAGE.format(fault=escape(fault)), status, {"Cache-Control": "no-store"})


app = st.App(
    HERE / "dashboard.py",
    lifespan=serve.ready,
    routes=[*serve.ROUTES, Route("/login", login, methods=["GET", "POST"]), Route("/logout", logout)],
    middleware=[
        Middleware(SessionMiddleware, secret_key=users.cookie_secret(), session_cookie="neurorama", max_age=WEEK),
        Middleware(Gate),
    ],
)
