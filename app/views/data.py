"""A visitor's own graph: bring it, see it, and use it in every exhibit that takes it."""

from __future__ import annotations

import streamlit as st

from neurorama import InputError, catalogue, data
from neurorama.data import GraphData
from parts import address, show
from parts.words import count, plain


def page() -> None:
    st.title("Your data", anchor=False)
    st.markdown("Bring a graph, see it drawn, and let the exhibits learn on it. It stays on this computer.")
    left, right = st.columns([1, 1.7], gap="large")
    with left:
        upload()
        chosen = mine()
        explain()
    with right:
        if chosen:
            try:
                graph = read(chosen)
            except InputError as error:
                st.error(plain(str(error)), icon=":material/error:")
                return
            look(chosen, graph)
            use_it_in(chosen, graph)
        else:
            with st.container(border=True, height=420, vertical_alignment="center", horizontal_alignment="center"):
                st.markdown(":gray[Your graph will be drawn here.]", width="content")


def upload() -> None:
    """Takes a file; a bad one gets one line that says why."""
    st.file_uploader(
        "A graph, at most 10 MB",
        max_upload_size=10,
        key="upload",
        on_change=_add,
        help="Read as text in these formats only; nothing in a file is ever executed.",
    )
    if fault := st.session_state.pop("upload fault", ""):
        st.error(plain(fault), icon=":material/error:")


def _add() -> None:
    file = st.session_state["upload"]
    if file is None:
        return
    try:
        st.query_params["graph"] = data.add(file.getvalue(), file.name)
    except InputError as error:
        st.session_state["upload fault"] = str(error)


def mine() -> str:
    """The graphs that are kept, one of them chosen in the address; "" where there is none."""
    own = data.own()
    wanted = st.query_params.get("graph", "")
    if wanted and wanted not in own:
        address.complain(address.told(f"there is no graph of yours called {wanted!r}"))
        wanted = ""
    if not own:
        return ""
    chosen = wanted or own[0]
    st.session_state["graph"] = chosen
    pick, drop = st.columns([4, 1], vertical_alignment="bottom")
    pick.selectbox(
        "Your graphs",
        own,
        key="graph",
        format_func=lambda name: name.removeprefix("mine/"),
        on_change=lambda: st.query_params.update(graph=st.session_state["graph"]),
    )
    drop.button(
        "",
        icon=":material/delete:",
        key="delete",
        help="Delete this graph",
        on_click=_remove,
        args=(chosen,),
        width="stretch",
    )
    return chosen


def _remove(name: str) -> None:
    data.remove(name)
    st.query_params.pop("graph", None)


@st.cache_resource(show_spinner="Reading the graph …", max_entries=8)
def read(name: str) -> GraphData:
    """A graph that was added before."""
    return data.graph(name)


def look(name: str, graph: GraphData) -> None:
    """The picture, the numbers, and what was cleaned."""
    numbers = data.statistics(graph)
    with st.container(border=True, key="stage"):
        show.graph(name, graph)
    with st.container(horizontal=True, gap="large"):
        for what, value in numbers.items():
            st.metric(what, f"{value:,}" if isinstance(value, int) else f"{value:.3g}", width="content")
    if graph.y is None:
        st.info("No labels: exhibits that predict labels of nodes cannot use it.", icon=":material/label_off:")
    else:
        st.markdown(f"**Labels:** {plain(', '.join(graph.classes))}")
    for note in graph.notes:
        st.caption(plain(note))


def use_it_in(name: str, graph: GraphData) -> None:
    """Exhibits and leagues whose arena takes a visitor's graph."""
    takers = []
    for arena in catalogue.arenas():
        ring, keys = catalogue.arena(arena)
        if ring.own:
            takers.append((arena, keys))
    st.subheader("Use it in", anchor=False)
    if not takers:
        st.caption("No exhibit takes a graph of your own yet.")
    for arena, keys in takers:
        with st.container(horizontal=True, gap="small"):
            for key in keys:
                st.page_link(
                    "views/exhibit.py",
                    label=f"**{plain(catalogue.row(key).name)}**",
                    icon=":material/experiment:",
                    query_params={"exhibit": key, "source": name},
                )
            st.page_link(
                "views/arena.py",
                label=f"All {count(len(keys), 'exhibit')} against each other",
                icon=":material/trophy:",
                query_params={"arena": arena, "source": name},
            )


def explain() -> None:
    """Which files are read, and where labels come from."""
    with st.expander("Which files, and what about labels?", icon=":material/help:"):
        st.markdown(
            "- **Edge list** (`.csv` `.tsv` `.txt` `.edges` `.edgelist`): one edge a row, `source, target` and perhaps "
            "`weight`.\n"
            "- **GraphML**, **GML**, **JSON** node-link: with names, weights and attributes of nodes.\n\n"
            "**Labels** are what an exhibit learns to predict. They are read from the attribute `class`, `y` or "
            "`label` of a node. An edge list has none.\n\n"
            "Loops and doubled edges are taken out, and the page says so. At most 10 MB, 100,000 nodes and "
            "1,000,000 edges."
        )


page()
