"""The atlas: a picture first, then search, areas and cards."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from neurorama import catalogue
from neurorama.catalogue import Row
from neurorama.errors import nearest
from parts import address, marks, pictures
from parts.words import count, plain

MOST = 24  # cards at first; more on demand
ALL = ""


def page() -> None:
    if "exhibit" in st.query_params:  # a link without the page's name
        st.switch_page("views/exhibit.py", query_params=st.query_params.to_dict())
    hero()
    words, area = finder()
    papers = catalogue.search(words, limit=60) if words else list(catalogue.papers())
    papers = [row for row in papers if area in (ALL, row.area)]
    if words and not papers:
        st.info("Nothing is called that. Try a method, a topic or an area.", icon=":material/search_off:")
    cards([row for row in papers if row.built])
    listing([row for row in papers if not row.built], bool(words or area))
    if not words and not area:
        wings()


def hero() -> None:
    """What this place is, beside a picture."""
    row = pictures.front()
    told, shown = st.columns([1, 1.6], gap="large", vertical_alignment="center")
    with told:
        st.title("A hall of working models", anchor=False)
        st.markdown(
            "Each paper is a small, faithful network that learns while you watch, beside its baseline, "
            "with a claim that is judged and can fail."
        )
        built, total = len(catalogue.built()), len(catalogue.papers())
        st.markdown(f":small[:gray[{count(total, 'paper')} · {built} run today · the others are planned]]")
        if row is not None:
            st.page_link(
                "views/exhibit.py",
                label=f"**See {plain(row.name)} learn**",
                icon=":material/play_circle:",
                query_params={"exhibit": row.key},
            )
    if row is not None:
        with shown:
            pictures.large(row)


def finder() -> tuple[str, str]:
    """(words, area) as the address has them, in a search box and a choice of areas."""
    totals = Counter(row.area for row in catalogue.papers())
    built = Counter(row.area for row in catalogue.built())
    titles = {area.slug: area.title for area in catalogue.areas()}
    words, area = st.query_params.get("q", ""), st.query_params.get("area", ALL)
    if area not in {ALL, *titles}:
        address.complain(address.told(f"no area is called {area!r}; {nearest(area, titles)}"))
        area = ALL
    st.session_state["q"], st.session_state["area"] = words, area
    left, right = st.columns([2, 1])
    left.text_input(
        "Search",
        key="q",
        type="search",
        placeholder="Search papers, methods, topics: over-smoothing, lottery ticket, memory …",
        label_visibility="collapsed",
        on_change=_remember,
        args=("q",),
        max_chars=200,
    )
    right.selectbox(
        "Area",
        [ALL, *titles],
        key="area",
        format_func=lambda slug: f"{titles[slug]} · {built[slug]} of {totals[slug]}" if slug else "All areas",
        label_visibility="collapsed",
        on_change=_remember,
        args=("area",),
    )
    return words, area


def _remember(name: str) -> None:
    value = st.session_state[name]
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def cards(rows: list[Row]) -> None:
    """Papers that run: picture, name, idea, verdict, seconds."""
    if not rows:
        return
    st.subheader(f"Runs today · {len(rows)}", anchor=False)
    shown = rows if st.session_state.get("all cards") else rows[:MOST]
    found = marks.verdicts()
    with st.container(key="cards", horizontal=True, gap="medium"):
        for row in shown:
            with st.container(key=f"card-{row.slug}", border=True):
                pictures.small(row)
                st.page_link("views/exhibit.py", label=f"**{plain(row.name)}**", query_params={"exhibit": row.key})
                st.markdown(f":small[{plain(first_sentence(row.idea))}]")
                st.markdown(f"{marks.claim(found.get(row.key))} {marks.duration(found.get(row.key))}")
    if len(shown) < len(rows):
        st.button(f"Show all {len(rows)}", on_click=lambda: st.session_state.update({"all cards": True}))


def first_sentence(text: str) -> str:
    """Up to the first full stop."""
    sentence, stop, _ = text.partition(". ")
    return sentence + ("." if stop else "")


def listing(rows: list[Row], open_: bool) -> None:
    """Papers that are planned, one line each."""
    if not rows:
        return
    with st.expander(f"Planned · {len(rows)}", expanded=open_, icon=":material/schedule:"):
        titles = {area.slug: area.title for area in catalogue.areas()}
        picked = st.dataframe(
            {
                "name": [row.name for row in rows],
                "paper": [row.title for row in rows],
                "area": [titles[row.area] for row in rows],
                "idea": [first_sentence(row.idea) for row in rows],
            },
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            column_config={name: st.column_config.TextColumn(width="small") for name in ("name", "area")},
        )
        if picked.selection.rows:
            st.switch_page("views/exhibit.py", query_params={"exhibit": rows[picked.selection.rows[0]].key})


def wings() -> None:
    """All areas with counts."""
    st.subheader("The wings of the hall", anchor=False)
    totals = Counter(row.area for row in catalogue.papers())
    built = Counter(row.area for row in catalogue.built())
    columns = st.columns(4, gap="medium")
    for number, area in enumerate(catalogue.areas()):
        with columns[number % 4], st.container(gap=None, height="stretch"):
            st.button(
                f"**{plain(area.title)}** :gray[{built[area.slug]} of {totals[area.slug]}]",
                key=f"wing-{area.slug}",
                type="tertiary",
                on_click=lambda slug=area.slug: st.query_params.update(area=slug),
            )
            st.caption(plain(area.blurb))


page()
