"""A phase diagram: one exhibit over two of its knobs, with seeds as repeats, as its runs come in."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlencode

import streamlit as st

from neurorama import Exhibit, InputError, Params, catalogue
from neurorama.jobs import Sweep
from neurorama.stage import Poster
from parts import address, knobs, marks, people, runs, show
from parts.words import count, label, plain

SUBJECT = ("exhibit", "x", "y", "xs", "ys", "seeds", "metric")  # what the address holds beside the other knobs
FEW = 5  # values of an axis, unless the visitor says which
EMPTY = "Each cell is the mean over its seeds; an empty one is still to come."


def page() -> None:
    asked = st.query_params.get("exhibit", "")
    try:
        key = catalogue.row(asked).key
        exhibit = catalogue.load(key)
    except InputError as error:
        address.complain(address.told(error))
        return
    axes = [name for name in exhibit.params.model_fields if name != "seed" and spread(exhibit.params, name)]
    params, complaints = address.read(
        exhibit.params, {name: text for name, text in st.query_params.items() if name not in SUBJECT}
    )
    for complaint in complaints:
        address.complain(complaint)
    st.page_link(
        "views/exhibit.py",
        label=plain(catalogue.row(key).name),
        icon=":material/arrow_back:",
        query_params=address.write({"exhibit": key}, params),
    )
    st.title("Sweep", anchor=False)
    st.markdown("The same exhibit at every combination of two knobs: where does the claim hold, and where does it end?")
    left, right = st.columns([1, 2.6], gap="medium")
    with left, st.container(key="knobs"):
        marks.group("Axes")
        x, xs = axis("x", "across", axes, 0, exhibit.params)
        y, ys = axis("y", "down", axes, 1, exhibit.params)
        seeds = st.number_input("**seeds**", 1, 20, int(setting("seeds", "3")), key="sweep-seeds")
        st.query_params["seeds"] = str(seeds)
        made = runs.kept().get(("sweep", key, params, x, xs, y, ys, seeds))
        runs_needed = len(xs.split(",")) * len(ys.split(",")) * seeds
        if st.button(
            f"Run {count(runs_needed, 'run')}",
            type="primary",
            icon=":material/play_arrow:",
            key="sweep",
            disabled=x == y or (made is not None and made.running),
            width="stretch",
        ):
            made = start(key, params, x, xs, y, ys, seeds)
    with right, st.container(key="stage", border=True):
        if x == y:
            st.info("Take two different knobs.", icon=":material/grid_on:")
        elif made is None:
            st.info("Each cell will be a run of its own, that you can open.", icon=":material/grid_on:")
        else:
            st.fragment(diagram, run_every=show.POLL if made.running else None)(made, exhibit, x, y)


def setting(name: str, default: str) -> str:
    value = st.query_params.get(name, default)
    return value if name != "seeds" or (value.isdigit() and 1 <= int(value) <= 20) else default


def spread(params: type[Params], name: str) -> list[Any]:
    """A few values of a knob over all that it may be; none of one that has no order and no choice."""
    field = params.model_fields[name]
    if field.annotation is bool:
        return [True, False]
    if get_origin(field.annotation) is Literal:
        return list(get_args(field.annotation))
    if field.annotation not in (int, float):
        return []
    low, high = knobs.bounds(params, name)
    whole = field.annotation is int
    if low > 0 and high / low > 20:  # over some orders of magnitude
        values = [low * (high / low) ** (step / (FEW - 1)) for step in range(FEW)]
    else:
        values = [low + (high - low) * step / (FEW - 1) for step in range(FEW)]
    return list(dict.fromkeys(round(value) if whole else float(f"{value:.3g}") for value in values))


def axis(name: str, title: str, axes: list[str], place: int, params: type[Params]) -> tuple[str, str]:
    """One knob and its values, as the address has them."""
    default = setting(name, axes[min(place, len(axes) - 1)])
    knob = st.selectbox(
        f"**{title}**",
        axes,
        index=axes.index(default) if default in axes else 0,
        format_func=label,
        key=f"sweep-{name}",
    )
    usual = ", ".join(map(address.text, spread(params, knob)))
    values = st.text_input(
        f"values of {label(knob)}",
        setting(f"{name}s", usual) if knob == default else usual,
        key=f"sweep-{name}-{knob}",
    )
    st.query_params[name], st.query_params[f"{name}s"] = knob, values
    return knob, values


def start(key: str, params: Params, x: str, xs: str, y: str, ys: str, seeds: int) -> Sweep | None:
    try:
        people.spend("runs")
        axes = {x: values(params, x, xs), y: values(params, y, ys), "seed": range(seeds)}
        made = Sweep(runs.pool(), key, axes, params, owner=people.name())
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    return runs.keep(("sweep", key, params, x, xs, y, ys, seeds), made)


def values(params: Params, name: str, text: str) -> list[Any]:
    """The values that are written `2, 8, 32`."""
    return [address.value(type(params), name, one.strip()) for one in text.split(",") if one.strip()]


def diagram(made: Sweep, exhibit: Exhibit[Any], x: str, y: str) -> None:
    """The grid as far as it is filled in, and a link to each run."""
    if made.running:
        show.progress(made, "stop-sweep", "run")
        st.session_state["sweeping"] = made
    elif st.session_state.pop("sweeping", None) is made:
        st.rerun()
    metrics = made.metrics
    metric = st.selectbox("**what the colour measures**", metrics, key="sweep-metric") if len(metrics) > 1 else "margin"
    unit = exhibit.claim.unit if metric == "margin" else metric
    table = made.result
    if (table["state"] == "done").any():
        show.still("sweep", {"phase diagram": made.grid(x, y, metric)}, Poster({"phase diagram": f"{unit}. {EMPTY}"}))
    table["open"] = [f"exhibit?{urlencode({'exhibit': made.key, 'run': run}, safe='/')}" for run in table["run"]]
    st.dataframe(
        table[["open", x, y, "seed", *([metric] if metric in table else []), "state"]],
        hide_index=True,
        column_config={"open": st.column_config.LinkColumn("run", display_text="open", width="small")},
    )


page()
