"""Who the visitor is, where somebody asks: by an identity provider, or by the password of `gate.py`."""

from __future__ import annotations

import os

import streamlit as st
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from neurorama import InputError
from neurorama.hosts import loopback

HEADER = "x-neurorama-user"  # set by the gate, which takes it away from whoever else sends it
MOST = {
    "runs": RateLimitItemPerMinute(20),
    "logins": RateLimitItemPerMinute(5),
    "logins from a machine": RateLimitItemPerMinute(60),  # a class may share one address
}

_limiter = MovingWindowRateLimiter(MemoryStorage())


def allowed(what: str, whose: str) -> bool:
    """Counts one of `MOST` for somebody; whether it was still free."""
    return _limiter.hit(MOST[what], what, whose)


def login() -> str:
    """How visitors log in: "password", "provider", or "" where only this machine reaches the dashboard."""
    if os.environ.get("NEURORAMA_GATE"):
        return "password"
    return "provider" if "is_logged_in" in st.user.to_dict() else ""


def name() -> str:
    """Who the visitor is; "" where nobody asks."""
    how = login()
    if how == "password":
        return st.context.headers.get(HEADER, "")
    return str(st.user.get("email") or st.user.get("sub") or "") if how else ""


def spend(what: str) -> None:
    """Counts one of `MOST` for this visitor.

    Raises:
        InputError: there were too many in the last minute.
    """
    if (mine := name()) and not allowed(what, mine):
        raise InputError(f"more than {MOST[what].amount} {what} of yours in a minute; wait a little")


def enter() -> None:
    """Lets nobody further who should have logged in and has not."""
    how = login()
    if how == "provider" and not st.user.is_logged_in:
        st.title("Neurorama", anchor=False)
        st.button("Log in", type="primary", icon=":material/login:", key="login", on_click=st.login)
        st.stop()
    if (how and not name()) or not (how or loopback(str(st.get_option("server.address")))):
        st.error(
            "This dashboard can be reached from other machines, and nobody asks who comes in. Start it with "
            "`neurorama app --host …`, which says what is missing.",
            icon=":material/lock:",
        )
        st.stop()


def leave() -> None:
    """Who is in, and the way out."""
    how = login()
    if not how:
        return
    with st.sidebar:
        st.caption(name().replace("@", "\\@"))
        if how == "provider":
            st.button("Log out", icon=":material/logout:", key="logout", on_click=st.logout)
        else:
            st.html('<a href="logout" target="_self">Log out</a>')
