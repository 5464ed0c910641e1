"""Every judged claim: how far it holds, over which seeds, and when it was judged."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from neurorama import catalogue
from neurorama.errors import nearest
from parts import address, marks, source
from parts.words import count, plain

ALL = "all"


def page() -> None:
    st.title("Claims", anchor=False)
    st.markdown(
        "Each exhibit makes one claim that can fail. It is measured on the run that you see, over several seeds, "
        "and once more with the mechanism switched off: then it must not hold."
    )
    found = marks.verdicts()
    counts = Counter(verdict.outcome for verdict in found.values())
    wanted = chosen(counts, len(found))
    rows = {key: verdict for key, verdict in found.items() if wanted in (ALL, verdict.outcome)}
    if not found:
        st.info("No claim has been judged yet. `neurorama judge --all` judges every one.", icon=":material/gavel:")
    elif not rows:
        st.info("No claim has this verdict.", icon=":material/filter_alt_off:")
    for key, verdict in rows.items():
        with st.container(border=True, key=f"claim-{key.replace('/', '-')}"):
            told, drawn = st.columns([1.6, 1], gap="large", vertical_alignment="center")
            row, text = catalogue.row(key), source.text(key)
            with told:
                st.page_link("views/exhibit.py", label=f"**{plain(row.name)}**", query_params={"exhibit": key})
                st.markdown(f"{plain(text.statement)}  \n{marks.claim(verdict)}")
                st.markdown(marks.numbers(verdict, text.unit))
            with drawn:
                marks.drawing(marks.interval(verdict))
    unjudged = [row for row in catalogue.built() if row.key not in found]
    if unjudged and wanted == ALL:
        st.subheader(f"{count(len(unjudged), 'claim')} not judged yet", anchor=False)
        for row in unjudged:
            marks.link(row)


def chosen(counts: Counter[str], total: int) -> str:
    """The verdict that the address asks for."""
    wanted = st.query_params.get("verdict", ALL)
    if wanted not in {ALL, *marks.VERDICTS}:
        hint = nearest(wanted, [ALL, *marks.VERDICTS])
        address.complain(address.told(f"no verdict is called {wanted!r}; {hint}"))
        wanted = ALL
    st.session_state["verdict"] = wanted
    st.segmented_control(
        "Verdict",
        [ALL, *marks.VERDICTS],
        key="verdict",
        required=True,
        format_func=lambda word: (
            f"all · {total}" if word == ALL else f"{marks.VERDICTS[word][0]} {word} · {counts[word]}"
        ),
        label_visibility="collapsed",
        on_change=_remember,
    )
    return wanted


def _remember() -> None:
    st.query_params["verdict"] = st.session_state["verdict"]


page()
