"""One paper: its idea, the picture, the knobs, the claim, the mechanism, and where to go next."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

import neurorama
from neurorama import Exhibit, InputError, Params, catalogue, data
from neurorama.catalogue import Row
from parts import address, knobs, marks, runs, show, source
from parts.runs import Job
from parts.words import plain, seconds


def page() -> None:
    asked = st.query_params.get("exhibit", "")
    if not asked:
        choose("Which paper?")
        return
    try:
        row = catalogue.row(asked)
    except InputError as error:
        address.complain(address.told(error))
        choose("These can be seen:")
        return
    if not row.built:
        planned(row)
        return
    try:
        with st.spinner("Opening the exhibit …"):
            exhibit = catalogue.load(row.key)
    except Exception as error:  # a broken exhibit breaks only itself
        st.error(plain(f"{row.key} cannot be opened: {type(error).__name__}: {error}"), icon=":material/error:")
        return
    open_run(row.key, exhibit)
    params, complaints = address.read(
        exhibit.params, {name: text for name, text in st.query_params.items() if name not in ("exhibit", "run")}
    )
    for complaint in complaints:
        address.complain(complaint)
    drawn, job = runs.on_stage(
        row.key,
        params,
        lambda again: runs.of_exhibit(row.key, params, again),
        lambda: runs.recorded(row.key) if params == exhibit.params() else None,
    )
    with st.container(key="exhibit"):
        left, right = st.columns([1, 4.1], gap="medium")
        with right:
            heading(row, exhibit, job)
            with st.container(key="stage", border=True):
                with st.container():  # always there, so that the player below stays in its place
                    if drawn != params:
                        st.info(
                            "The knobs have moved since this run. Run it to see what they do.", icon=":material/tune:"
                        )
                changed = partial(run_edited, row.key, exhibit, drawn, job) if editable(exhibit) else None
                before = st.session_state.get("before")
                if before is None or before.key != row.key or before.job is job:
                    show.player(job, exhibit, changed)
                else:
                    beside(show.Side(row.key, drawn, job), before, changed)
                if changed is not None and not job.running:
                    feature(drawn, changed)
        with left, st.container(key="knobs"):
            knobs.panel({"exhibit": row.key}, exhibit, params, data.own())
            run_button(row.key, params, job, drawn == params)
    one, two, three = st.columns([1, 1.6, 1.1], gap="medium")
    with one, st.container(border=True, height="stretch"):
        claim(row.key, exhibit, params)
    with two, st.container(border=True, height="stretch"):
        st.subheader("The mechanism", anchor=False)
        st.markdown(source.text(row.key).equations)
    with three, st.container(border=True, height="stretch"):
        take_it_with_you(row, exhibit, params, show.Side(row.key, drawn, job))
    with st.expander(
        "The code of the mechanism, as it ran", icon=":material/code:", on_change="rerun", key="code"
    ) as code:
        if code.open:
            st.code(source.text(row.key).code)


def choose(question: str) -> None:
    """All exhibits that run, as links."""
    st.subheader(question, anchor=False)
    for row in catalogue.built():
        marks.link(row)


def planned(row: Row) -> None:
    """What the catalogue knows of a paper that has no exhibit yet."""
    st.title(row.name, anchor=False)
    st.markdown(f"{plain(row.title)}  \n:gray-badge[planned: not built yet]")
    with st.container(key="idea"):
        st.markdown(plain(row.idea))
    one, two = st.columns(2, gap="medium")
    with one, st.container(border=True, height="stretch"):
        st.subheader("What it claims", anchor=False)
        st.markdown(plain(row.claim))
        st.subheader("What you will see", anchor=False)
        st.markdown(plain(row.picture))
    with two, st.container(border=True, height="stretch"):
        st.subheader("What runs today", anchor=False)
        where_next(row)


def heading(row: Row, exhibit: Exhibit[Any], job: Job) -> None:
    """Name, paper, chips, and the idea in a few sentences."""
    paper, verdict = exhibit.paper, marks.verdicts().get(row.key)
    st.page_link("views/home.py", label=marks.area_title(row.area), query_params={"area": row.area})
    st.title(paper.name, anchor=False)
    title = f"[{plain(paper.title)}]({paper.url})" if paper.url else plain(paper.title)
    facts = [paper.authors, paper.venue, str(paper.year or "")]
    st.markdown(f"{title}  \n:small[:gray[{plain(' · '.join(fact for fact in facts if fact))}]]")
    relations = catalogue.related(row.key)
    better = [one if isinstance(one, str) else one.name for one in relations.improves_on]
    chips = [
        marks.claim(verdict),
        f":gray-badge[{marks.FIDELITY[exhibit.fidelity]}]",
        marks.duration(verdict),
        f":gray-badge[improves on: {plain(', '.join(better[:4]))}]" if better else "",
        f":gray-badge[recorded run, {job.recorded}]" if job.recorded else ":gray-badge[live run]",
    ]
    st.markdown(" ".join(chip for chip in chips if chip))
    with st.container(key="idea"):
        st.markdown(source.text(row.key).idea)


def open_run(key: str, exhibit: Exhibit[Any]) -> None:
    """Puts the run that the address names on the stage, with its knobs in the address."""
    asked, now = st.query_params.get("run"), st.session_state.get("on stage")
    arrived = st.session_state.get("wanted") == "once"
    if not asked or not arrived or (now is not None and getattr(now[2], "id", "") == asked):
        return
    try:
        job = runs.opened(key, asked)
        params = exhibit.params.parse(job.params)
    except InputError as error:
        address.complain(address.told(error))
        del st.query_params["run"]
        return
    del st.session_state["wanted"]
    runs.show(key, params, job)
    st.query_params.from_dict({**address.write({"exhibit": key}, params), "run": asked})


def editable(exhibit: Exhibit[Any]) -> bool:
    """Whether it runs on graphs of a visitor's own, and so on one that the visitor has changed."""
    field = exhibit.params.model_fields.get("source")
    return field is not None and isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra["own"])


def run_edited(key: str, exhibit: Exhibit[Any], params: Params, job: Job | runs.Still, edits: list[Any]) -> None:
    """Keeps the edited graph as one of the visitor's own and runs the exhibit on it; the run before stays beside it."""
    knobs = params.model_dump()
    try:
        source = data.edit(knobs["source"], edits, knobs["seed"])
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state["before"] = show.Side(key, params, job)
    wanted = exhibit.params.parse({**knobs, "source": source})
    st.query_params.from_dict(address.write({"exhibit": key}, wanted))
    st.session_state["wanted"] = "run"
    st.rerun()


def beside(now: show.Side, before: show.Side, changed: Callable[[list[Any]], None] | None) -> None:
    """A run and the one before the graph was edited."""
    left, right = st.columns([4, 1.3], vertical_alignment="center")
    if not now.job.running and not before.job.running and now.job.frames and before.job.frames:
        with left:
            show.margins(now, before)
    right.button(
        "Only the new run", icon=":material/close:", on_click=lambda: st.session_state.pop("before", None), key="alone"
    )
    show.both(now, before, ("edited", "before"), changed)


@st.cache_resource(show_spinner=False, max_entries=8)
def _graph(source: str, seed: int) -> Any:
    return data.graph(source, seed)


def feature(params: Params, changed: Callable[[list[Any]], None]) -> None:
    """A slider for one feature of one node, where the graph has features and is small enough to be edited."""
    knobs = params.model_dump()
    try:
        graph = _graph(knobs["source"], knobs["seed"])
    except InputError:  # the run has told why
        return
    if not data.editable(graph) or not data.featured(graph):
        return
    with st.popover("Change a feature", icon=":material/tune:"):
        nodes = graph.names or tuple(map(str, range(graph.num_nodes)))
        columns = graph.columns or tuple(f"feature {i}" for i in range(graph.x.shape[1]))
        node = st.selectbox("Node", range(len(nodes)), format_func=lambda i: nodes[i], key="feature-node")
        column = st.selectbox("Feature", range(len(columns)), format_func=lambda i: columns[i], key="feature-column")
        values = graph.x[:, column]
        low, high = float(values.min()), float(values.max())
        room = (high - low) or 1.0
        value = st.slider(
            "Value", low - room, high + room, float(values[node]), key=f"feature-{node}-{column}", format="%.3g"
        )
        if st.button("Run again", icon=":material/play_arrow:", key="feature-run"):
            changed([["feature", node, column, value]])


def run_button(key: str, params: Params, job: Job | runs.Still, same: bool) -> None:
    """Runs these knobs; where that very run is on the stage already, once more if it is wanted."""
    verdict = marks.verdicts().get(key)
    usual = params.model_copy(update={"seed": 0}) == type(params)()
    done = same and isinstance(job, Job) and job.state == "done"
    with st.container(key="run"):
        if done and isinstance(job, Job) and job.found:
            st.caption("These knobs were run before: this is that run.")
        label = "Run it anyway" if done and job.found else "Run it again" if done else "Run it yourself"
        st.button(
            f"{label} · about {seconds(verdict.seconds)}" if verdict and usual else label,
            type="primary",
            icon=":material/play_arrow:",
            key="run-button",
            on_click=runs.run_again if done else runs.run,
            disabled=job.running,
            width="stretch",
        )
        st.page_link(
            "views/sweep.py", label="Sweep two knobs", icon=":material/grid_on:", query_params={"exhibit": key}
        )


def claim(key: str, exhibit: Exhibit[Any], params: Params) -> None:
    """What is claimed, what the paper says, how it was judged, and judging it here and now."""
    st.subheader("The claim", anchor=False)
    st.markdown(plain(exhibit.claim.statement))
    job = runs.known(("judge", key, params.model_copy(update={"seed": 0})))
    st.fragment(_judgement, run_every=show.POLL if job and job.running else None)(key, exhibit, params)
    if exhibit.claim.paper_says:
        st.markdown(f":small[**The paper:** {plain(exhibit.claim.paper_says)}]")


def _judgement(key: str, exhibit: Exhibit[Any], params: Params) -> None:
    base = params.model_copy(update={"seed": 0})
    name = ("judge", key, base)
    usual = base == type(params)()
    job = runs.known(name)
    if job is not None and job.running:
        st.session_state["judging"] = name
        job.look()
        show.progress(job, "stop-judging", "run")
        return
    if st.session_state.get("judging") == name:
        del st.session_state["judging"]
        st.rerun()
    verdict = job.result if job else marks.verdicts().get(key)
    if verdict is None:
        st.markdown(marks.claim(None))
    else:
        st.markdown(marks.claim(verdict))
        marks.drawing(marks.interval(verdict))
        st.markdown(marks.numbers(verdict, exhibit.claim.unit))
        if not usual and job is None:
            st.caption("Judged at the usual knobs, not at yours.")
    if (last := runs.kept().get(name)) and last.fault:
        st.error(plain(last.fault), icon=":material/error:")
    again = "Judge it again" if verdict and usual else "Judge it now" if usual else "Judge it at your knobs"
    runs_needed = 2 * exhibit.claim.seeds
    if st.button(
        again,
        icon=":material/gavel:",
        key="judge",
        help=f"{runs_needed} runs: {exhibit.claim.seeds} seeds, each with the mechanism on and off.",
    ):
        try:
            runs.judgement(key, base)
        except InputError as error:
            st.error(plain(str(error)), icon=":material/error:")
        else:
            st.rerun()


def take_it_with_you(row: Row, exhibit: Exhibit[Any], params: Params, drawn: show.Side) -> None:
    """Notebook and link of exactly this state, what is left out, and the papers beside this one."""
    st.subheader("Take it with you", anchor=False)
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Open as notebook",
            partial(_notebook, row.key, params),
            file_name=f"{row.slug}.ipynb",
            mime="application/x-ipynb+json",
            icon=":material/menu_book:",
            on_click="ignore",
            help="These knobs, this seed: put it in `notebooks/` and open it with `neurorama lab`.",
        )
        st.download_button(
            "One HTML file",
            partial(_page, drawn),
            file_name=f"{row.slug}.html",
            mime="text/html",
            icon=":material/html:",
            on_click="ignore",
            disabled=drawn.job.running or not drawn.job.frames,
            help="The run that you see, with its slider: it opens anywhere, without a network.",
        )
        st.page_link(
            "views/compare.py",
            label="Compare",
            icon=":material/compare:",
            query_params={"a": address.one(row.key, params), "b": address.one(row.key, type(params)())},
        )
        with st.popover("Copy link", icon=":material/link:"):
            query = urlencode(address.write({"exhibit": row.key}, params), safe="/")
            st.code(f"{(st.context.url or '').partition('?')[0]}?{query}", language=None, wrap_lines=True)
    left_out = source.text(row.key).left_out
    if left_out:
        st.markdown(f"**Left out:** {left_out}")
    if exhibit.departs:
        st.markdown(f"**Done otherwise:** {plain(exhibit.departs)}")
    st.markdown("**Where next**")
    where_next(row)


def _page(side: show.Side) -> bytes:
    return neurorama.export_html(side.trace()).encode()


def _notebook(key: str, params: Params) -> bytes:
    import nbformat

    from neurorama.notebook import notebook

    return nbformat.writes(notebook(key, params)).encode()


def where_next(row: Row) -> None:
    """Papers beside this one: those that run first, then what is planned."""
    relations = catalogue.related(row.key)
    beside = [*relations.same_arena, *relations.improved_by, *relations.improves_on, *relations.compared_with]
    papers = dict.fromkeys(one for one in [*beside, *relations.shares_kernel] if isinstance(one, Row))
    for one in [other for other in papers if other.built][:4]:
        marks.link(one)
    soon = [other.name for other in papers if not other.built][:3]
    if soon:
        st.caption(plain(f"Planned: {', '.join(soon)}"))


page()
