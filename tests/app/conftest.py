"""The pages import their shared parts from the folder of the dashboard, as `streamlit run` lets them."""

from __future__ import annotations

import sys

import pytest

from neurorama import places

sys.path.insert(0, str(places.app()))


@pytest.fixture(autouse=True)
def fresh_caches():
    """No test sees what another one ran or read."""
    import streamlit as st

    yield
    st.cache_data.clear()
    st.cache_resource.clear()
