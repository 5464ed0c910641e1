"""The server of the dashboard: `neurorama app`, or `streamlit run app/main.py`."""

from pathlib import Path

import streamlit as st

from parts import serve

app = st.App(Path(__file__).with_name("dashboard.py"), routes=serve.ROUTES, lifespan=serve.ready)
