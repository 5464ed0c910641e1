"""The dashboard: its pages, and what they have in common. Streamlit runs this anew for every answer to a visitor."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from neurorama import places
from parts import people, player

HERE = Path(__file__).parent

st.set_page_config(page_title="Neurorama", page_icon=str(HERE / "icon.svg"), layout="wide")
st.html(HERE / "style.css")
st.logo(str(places.assets() / "logo.svg"), size="large")

player.warm()
people.enter()
page = st.navigation(
    [
        st.Page("views/home.py", title="Home", icon=":material/home:", url_path="home", default=True),
        st.Page("views/exhibit.py", title="Exhibit", icon=":material/experiment:", url_path="exhibit"),
        st.Page("views/arena.py", title="Arena", icon=":material/trophy:", url_path="arena"),
        st.Page("views/compare.py", title="Compare", icon=":material/compare:", url_path="compare"),
        st.Page("views/runs.py", title="Runs", icon=":material/history:", url_path="runs"),
        st.Page("views/claims.py", title="Claims", icon=":material/gavel:", url_path="claims"),
        st.Page("views/sweep.py", title="Sweep", icon=":material/grid_on:", url_path="sweep", visibility="hidden"),
        st.Page("views/data.py", title="Your data", icon=":material/upload_file:", url_path="data"),
    ],
    position="top",
)
if st.session_state.get("here") != page.url_path:  # whoever arrives on a page sees what its address says, run
    st.session_state.update(here=page.url_path, wanted="once")
people.leave()
page.run()
