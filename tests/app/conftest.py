"""The pages import their shared parts from the folder of the dashboard, as `streamlit run` lets them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from neurorama import places

sys.path.insert(0, str(places.app()))


@pytest.fixture(autouse=True)
def fresh_caches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees what another one ran or read; the side processes stay."""
    import streamlit as st
    from streamlit import config

    from neurorama.jobs import Jobs
    from parts import runs

    made: list[Jobs] = []
    monkeypatch.setattr(runs, "Jobs", lambda: made.append(Jobs()) or made[-1])
    config.set_option("server.address", "localhost")  # as app/.streamlit/config.toml has it
    yield
    for jobs in made:
        jobs.close()
    st.cache_data.clear()
    st.cache_resource.clear()
