"""Every page, as Streamlit runs it, without a browser."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pandas
import pytest
from streamlit.testing.v1 import AppTest

import neurorama
from neurorama import catalogue, data, places, traces
from neurorama.notebook import notebook
from neurorama.runner import Interval, Verdict
from neurorama.tables import Found, lines, write_tables
from neurorama.verdicts import read_verdicts, write_verdicts
from parts import knobs, marks, runs, show, source, take
from parts.words import plain

BUILT = [row.key for row in catalogue.built()]
DAGNN = "message_passing/dagnn"
QUICK = {"exhibit": DAGNN, "steps": "12", "depth": "4"}
TRIANGLES = b"source,target\nAnn,Bob\nBob,Cid\nCid,Ann\nCid,Dee\nDee,Eve\nEve,Cid\nEve,Eve\n"


def open_page(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(places.app() / "dashboard.py"), default_timeout=60).run()
    if page != "home":
        app.switch_page(f"views/{page}.py")
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].value
    return app


def until_done(app: AppTest, button: str = "stop") -> AppTest:
    """Looks again, as the page does by itself, until the job is done."""
    end = time.monotonic() + 120
    while any(one.key == button for one in app.button):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)
        checked(app.run())
    return app


def pictures(app: AppTest) -> list[dict[str, Any]]:
    """The panes that the player was given."""
    return [pane for one in app.get("bidi_component") for pane in told(one.proto.bytes)["panes"]]


def told(blob: bytes) -> dict[str, Any]:
    """The description that the player reads."""
    words = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])["__metadata__"]
    return json.loads(words["stage"])


def words(app: AppTest) -> str:
    return "\n".join(str(one.value) for one in [*app.markdown, *app.title, *app.subheader, *app.caption])


def button(app: AppTest, key: str) -> Any:
    return next(one for one in app.button if one.key == key)


def one_value(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[-1]


@pytest.fixture
def one_frame(own_data_folder: Path) -> None:
    """Runs end after their first frame: these tests look at what is around the picture."""
    own_data_folder.mkdir()
    (own_data_folder / "one-frame").touch()  # `side_process.py` looks for it


# home


def test_home_shows_every_paper_once_as_built_or_planned() -> None:
    app = open_page("home")
    if more := [one for one in app.button if one.label == f"Show all {len(BUILT)}"]:
        checked(more[0].click().run())
    cards = [one for one in app.get("page_link") if "exhibit=" in one.proto.query_string]
    keys = {one.proto.query_string for one in cards}
    assert len(keys) == len(BUILT)
    table = app.dataframe[0].value
    assert len(table) == len(catalogue.papers()) - len(BUILT)
    assert f"{len(BUILT)} run today" in words(app)


def test_home_search_forgives_a_typing_error_and_keeps_the_words_in_the_address() -> None:
    app = open_page("home")
    app.text_input[0].set_value("dagn").run()
    assert one_value(app.query_params["q"]) == "dagn"
    assert "Runs today · 1" in [one.value for one in checked(app).subheader]
    nothing = open_page("home", q="xqzvwkj")
    assert "Nothing is called that" in nothing.info[0].value


def test_home_shows_one_area_and_tells_of_a_wrong_one() -> None:
    app = open_page("home")
    checked(next(one for one in app.selectbox if one.key == "area").set_value("expressivity").run())
    assert one_value(app.query_params["area"]) == "expressivity"
    assert set(app.dataframe[0].value["area"]) == {marks.area_title("expressivity")}
    wrong = open_page("home", area="expresivity")
    assert plain("did you mean 'expressivity'?") in wrong.warning[0].value
    assert len(wrong.dataframe[0].value) == len(catalogue.papers()) - len(BUILT)


# exhibit


@pytest.mark.parametrize("key", BUILT)
@pytest.mark.usefixtures("one_frame")
def test_every_exhibit_has_a_widget_for_every_knob_and_a_button_for_every_preset(key: str) -> None:
    app = open_page("exhibit", exhibit=key)
    exhibit = catalogue.load(key)
    widgets = [*app.slider, *app.number_input, *app.selectbox, *app.toggle, *app.get("button_group")]
    of_knobs = {one.key for one in widgets if not one.key.startswith("feature-")}  # of the run's graph
    assert of_knobs == {f"{key}:{name}" for name in exhibit.params.model_fields}
    defaults = exhibit.params()
    for one in [*app.slider, *app.number_input, *app.selectbox, *app.toggle]:
        if not one.key.startswith("feature-"):
            assert one.value == getattr(defaults, one.key.partition(":")[2])
    presets = [one for one in app.button if one.key and one.key.startswith("preset-")]
    assert len(presets) == len(exhibit.presets)
    assert app.title[0].value == exhibit.paper.name
    assert plain(exhibit.claim.statement) in words(app)
    until_done(app)
    assert not [one for one in app.error if "margin" not in one.value]  # one frame may be too few for a margin
    assert pictures(app)


def test_a_run_goes_to_its_end_on_the_page_with_all_its_moments() -> None:
    app = until_done(open_page("exhibit", **QUICK))
    assert not app.error
    assert len(pictures(app)) >= 4
    description = told(app.get("bidi_component")[0].proto.bytes)
    assert description["time"]["steps"] == list(range(0, 13, 1))
    assert not description["about"]["live"]


@pytest.mark.usefixtures("one_frame")
@pytest.mark.parametrize("stale", [False, True])
def test_an_exhibit_opens_on_its_recording_and_runs_when_asked(stale: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = neurorama.run(DAGNN, {"steps": 10})
    known = {"date": "2026-01-02T03:04:05+00:00", "stale": stale}
    monkeypatch.setattr(traces, "recorded", lambda key: (made, known))
    app = open_page("exhibit", exhibit=DAGNN)
    if stale:
        assert "live run" in words(app)
        until_done(app)
        return
    assert "recorded run, 2026-01-02" in words(app)
    assert not any(one.key == "stop" for one in app.button)
    assert told(app.get("bidi_component")[0].proto.bytes)["time"]["steps"][-1] == 10
    checked(button(app, "run-button").click().run())
    assert "live run" in words(app)
    until_done(app)
    assert "live run" in words(until_done(open_page("exhibit", **QUICK)))  # other knobs were not recorded


def test_the_next_visitor_sees_the_same_run_at_once() -> None:
    until_done(open_page("exhibit", **QUICK))
    second = open_page("exhibit", **QUICK)
    assert not any(one.key == "stop" for one in second.button)
    assert pictures(second)


def test_a_run_can_be_stopped_and_started_again() -> None:
    app = open_page("exhibit", exhibit=DAGNN, steps="1000")
    end = time.monotonic() + 60
    while not pictures(app):
        assert time.monotonic() < end
        time.sleep(0.1)
        checked(app.run())
    job = app.session_state["on stage"][2]
    checked(button(app, "stop").click().run())
    until_done(app)
    assert job.stopped
    assert 0 < len(job.frames) < 1000
    assert any("Stopped after" in one.value for one in app.caption)
    checked(button(app, "run-button").click().run())
    again = app.session_state["on stage"][2]
    assert again is not job
    again.stop()


@pytest.mark.usefixtures("one_frame")
def test_a_preset_sets_the_knobs_the_address_and_runs() -> None:
    app = until_done(open_page("exhibit", exhibit=DAGNN, seed="5"))
    checked(button(app, "preset-breaks").click().run())
    preset = catalogue.load(DAGNN).presets[knobs.BREAKS]
    for name, value in preset.knobs.items():
        assert one_value(app.query_params[name]) == str(value)
    assert one_value(app.query_params["seed"]) == "5"
    _, params, _ = app.session_state["on stage"]
    assert {name: getattr(params, name) for name in preset.knobs} == dict(preset.knobs)
    assert params.seed == 5
    assert button(app, "preset-breaks").disabled


@pytest.mark.usefixtures("one_frame")
def test_a_moved_knob_goes_into_the_address_and_waits_for_the_button() -> None:
    app = until_done(open_page("exhibit", exhibit=DAGNN))
    slider = next(one for one in app.slider if one.key == f"{DAGNN}:depth")
    checked(slider.set_value(7).run())
    assert one_value(app.query_params["depth"]) == "7"
    assert "The knobs have moved" in app.info[0].value
    assert app.session_state["on stage"][1].depth == 16
    checked(button(app, "run-button").click().run())
    assert app.session_state["on stage"][1].depth == 7
    until_done(app)
    assert not app.info


@pytest.mark.usefixtures("one_frame")
def test_bad_knobs_in_the_address_are_told_and_the_good_ones_hold() -> None:
    app = until_done(open_page("exhibit", exhibit="dagnn", depth="99", hiden="3", seed="4"))
    told = [one.value for one in app.warning]
    assert len(told) == 2
    assert "64" in told[0]
    assert plain("did you mean 'hidden'?") in told[1]
    assert next(one for one in app.number_input if one.key.endswith(":seed")).value == 4
    assert next(one for one in app.slider if one.key.endswith(":depth")).value == 16


def test_an_unknown_paper_is_told_with_the_nearest_one_and_markup_is_not_obeyed() -> None:
    app = open_page("exhibit", exhibit="message_passing/dagn")
    assert plain("did you mean 'message_passing/dagnn'?") in app.warning[0].value
    hostile = open_page("exhibit", exhibit="[x](javascript:1)<script>")
    assert r"\[x\]\(javascript\:1\)\<script\>" in hostile.warning[0].value


def test_a_planned_paper_is_told_as_planned() -> None:
    row = next(row for row in catalogue.papers() if not row.built)
    app = open_page("exhibit", exhibit=row.key)
    assert "planned: not built yet" in words(app)
    assert plain(row.idea) in words(app)
    assert not pictures(app)


@pytest.mark.usefixtures("one_frame")
def test_a_claim_can_be_judged_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    judgement = runs.Judgement
    monkeypatch.setattr(runs, "Judgement", lambda *words, **more: judgement(*words, **more, seeds=2))
    app = until_done(open_page("exhibit", **QUICK))
    before = read_verdicts()
    checked(button(app, "judge").click().run())
    until_done(app, "stop-judging")
    assert "over 2 seeds" in words(app)
    assert read_verdicts() == before  # a visitor's judgement is not published


@pytest.fixture
def opened(shelf: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of the made-up exhibits, which have no file to read texts from."""
    dagnn = source.text(DAGNN)
    monkeypatch.setattr(source, "text", lambda key: dagnn)


@pytest.mark.usefixtures("opened")
def test_a_fault_of_a_run_is_one_line() -> None:
    app = until_done(open_page("exhibit", exhibit="shelf/raises"))
    assert app.error[0].value == plain("ZeroDivisionError: shapes <b>differ</b>")
    assert "Traceback" in app.expander[0].code[0].value


# compare, and a graph that is edited


def test_two_settings_are_compared_on_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("compare", a=f"{DAGNN}?steps=12&depth=2", b=f"{DAGNN}?steps=10&depth=6")
    end = time.monotonic() + 120
    while any((one.key or "").startswith("stop") for one in app.button):
        assert time.monotonic() < end
        time.sleep(0.1)
        checked(app.run())
    assert not app.error
    (player,) = app.get("bidi_component")
    description = told(player.proto.bytes)
    assert description["arms"] == ["DAGNN, depth 2, steps 12", "DAGNN, depth 6, steps 10"]
    assert description["time"]["steps"][-1] == 12
    assert {pane["series"] for pane in description["panes"]} >= {
        "graph",
        "test accuracy",
        "difference in test accuracy",
    }
    assert words(app).count("Margin: ") == 2
    breaks = next(one for one in app.selectbox if one.key == "b setting")
    checked(breaks.set_value(knobs.BREAKS).run())
    assert one_value(app.query_params["b"]).startswith(f"{DAGNN}?")
    assert one_value(app.query_params["a"]) == f"{DAGNN}?steps=12&depth=2"
    for side in "ab":
        app.session_state[f"{side} side"].job.stop()


@pytest.mark.usefixtures("one_frame")
def test_a_wrong_side_of_a_comparison_is_told() -> None:
    app = open_page("compare", a="message_passing/dagn", b=f"{DAGNN}?depth=99")
    assert plain("did you mean 'message_passing/dagnn'?") in app.warning[0].value
    assert "64" in app.warning[1].value


def test_a_graph_is_edited_run_again_and_the_run_before_stays_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = until_done(open_page("exhibit", **QUICK))
    assert told(app.get("bidi_component")[0].proto.bytes)["about"]["edit"]
    edits: list[Any] = [["link", 16, 24], ["remove", 11]]
    once = iter([edits])
    play = show.play
    monkeypatch.setattr(show, "play", lambda *given, **more: play(*given, **more) or next(once, None))
    app = until_done(checked(app.run()))
    assert one_value(app.query_params["source"]) == data.own()[0]
    assert data.graph(data.own()[0]).num_nodes == 33
    assert told(app.get("bidi_component")[0].proto.bytes)["arms"] == ["edited", "before"]
    assert "changed by" in words(app)
    assert data.own()[0] in nbformat.writes(notebook(DAGNN, app.session_state["on stage"][1]))
    checked(button(app, "alone").click().run())
    assert told(app.get("bidi_component")[0].proto.bytes)["arms"][0] == "DAGNN"
    edits = [["link", 0, 999]]
    once = iter([edits])
    checked(app.run())
    assert "has no node 999" in app.error[0].value.replace("\\", "")
    assert len(data.own()) == 1


def test_a_feature_can_be_changed_where_there_are_features() -> None:
    app = until_done(open_page("exhibit", **QUICK, source="blocks"))
    checked(next(one for one in app.selectbox if one.key == "feature-node").set_value(3).run())
    slider = next(one for one in app.slider if one.key == "feature-3-0")
    checked(slider.set_value(slider.max).run())
    until_done(checked(button(app, "feature-run").click().run()))
    (name,) = data.own()
    changed = data.graph(name).x - data.graph("blocks").x
    assert changed.abs().sum() > 0
    assert changed.nonzero().tolist() == [[3, 0]]
    assert not any(one.key == "feature-node" for one in until_done(open_page("exhibit", **QUICK)).selectbox)


# arena


def test_a_league_runs_to_its_table() -> None:
    name = catalogue.arena_of(DAGNN)
    assert name is not None
    app = until_done(open_page("arena", arena=name, steps="8", seed="1"))
    ring, keys = catalogue.arena(name)
    table = app.dataframe[0].value
    few = {catalogue.load(key).paper.name for key in keys[:3]}
    assert set(table["system"]) == few | {"GCN", "GCN, 2 layers", "MLP"}
    assert list(table[ring.metric]) == sorted(table[ring.metric], reverse=True)
    assert {"seconds", "parameters", "energy by layer"} <= set(table.columns)
    assert len(pictures(app)) == 2 * len(table) + len(ring.views) - 2  # graph and representation of each system


def test_a_league_of_those_who_are_chosen_keeps_them_in_the_address() -> None:
    name = catalogue.arena_of(DAGNN)
    app = until_done(open_page("arena", arena=name, steps="2", depth="3", only="dagnn,nobody"))
    assert plain("'nobody'") in app.warning[0].value
    assert set(app.dataframe[0].value["system"]) == {"DAGNN", "GCN", "GCN, 2 layers", "MLP"}
    app.multiselect[0].unselect(DAGNN).run()
    assert one_value(app.query_params["only"]) == ""
    assert one_value(app.query_params["depth"]) == "3"
    assert "settings have changed" in checked(app).info[0].value
    until_done(checked(button(app, "run-league").click().run()))
    assert set(app.dataframe[0].value["system"]) == {"GCN", "GCN, 2 layers", "MLP"}


def test_the_papers_figures_stand_beside_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_frame: None) -> None:
    monkeypatch.setattr(places, "tables", lambda: tmp_path / "tables.json")
    name = catalogue.arena_of(DAGNN)
    assert name is not None
    cora, citeseer = lines(name, ["dagnn"])
    made = {"at": "best validation", "seconds": 1.0, "version": "0", "date": "2026-01-02T00:00:00+00:00"}
    found = {
        "cora": Found(knobs=cora.knobs, scores={0: 80.0, 1: 82.0}, **made),
        "citeseer": Found(knobs={**citeseer.knobs, "depth": 1}, scores={0: 1.0}, **made),  # by other settings
    }
    write_tables({DAGNN: found})
    app = until_done(open_page("arena", arena=name, steps="2", depth="3"))
    table = next(one.value for one in app.dataframe if "paper" in one.value.columns)
    ours = table[table["system"] == "DAGNN"].set_index("data")
    row = ours.loc["cora"]
    assert (row["paper"], row["paper ±"], row["ours"]) == (84.4, 0.5, 81.0)
    assert row["difference"] == pytest.approx(-3.4)
    assert row["ours ±"] == pytest.approx(2**0.5)
    assert (row["runs"], row["run on"]) == ("2 of 100", "2026-01-02")
    assert ours.loc["citeseer", "runs"] == "0 of 100"
    assert pandas.isna(ours.loc["citeseer", "ours"])
    assert any(one.value.startswith("**DAGNN on cora**, −3.4: ") for one in app.caption)
    assert not any("DAGNN on citeseer" in one.value for one in app.caption)
    assert any(one.value.startswith("**GRAND on cora") and "not in its own paper" in one.value for one in app.caption)


def test_an_arena_is_found_by_its_own_name_and_along_a_knob() -> None:
    app = until_done(open_page("arena", arena="nodes", steps="2", only="sgc", along="depth"))
    assert not app.warning
    assert told(app.get("bidi_component")[0].proto.bytes)["time"]["steps"] == [1, 2, 4, 8, 16, 32]
    assert {"parameters", "seconds"} <= set(app.dataframe[0].value.columns)


def test_a_wrong_arena_and_a_wrong_source_are_told() -> None:
    app = open_page("arena", arena="message_passing/node")
    assert plain("did you mean 'message_passing/nodes'?") in app.warning[0].value
    app = open_page("arena", arena="message_passing/nodes", source="karat")
    assert plain("did you mean 'karate'?") in app.warning[0].value


# runs


def test_a_run_is_listed_renamed_taken_away_and_deleted() -> None:
    assert "No runs yet" in open_page("runs").info[0].value
    done = until_done(open_page("exhibit", **QUICK)).session_state["on stage"][2]
    app = open_page("runs")
    table = app.dataframe[0].value
    assert list(table["run"]) == ["DAGNN"]
    assert list(table["state"]) == ["✓ done"]
    assert "depth 4" in table["knobs"][0]
    store = runs.pool().store
    trace = store.trace(done.id)
    losses = pandas.read_csv(io.StringIO(take.curves(trace)))["loss/GCN"].dropna().tolist()
    assert losses == trace.numbers("loss/GCN")
    all_of_it = json.loads(take.everything(store.get(done.id), trace))
    assert [frame["values"]["loss/GCN"] for frame in all_of_it["frames"][1:]] == losses
    assert len(all_of_it["frames"][0]["values"]["graph/GCN"]["classes"]) == 34
    store.rename(done.id, "<b>mine</b>")
    assert list(open_page("runs").dataframe[0].value["run"]) == ["<b>mine</b>"]
    assert "No run is like that" in checked(app.text_input[0].set_value("nothing like it").run()).info[0].value
    store.delete(done.id)
    assert "No runs yet" in open_page("runs").info[0].value


# claims


@pytest.fixture
def judged(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Verdict]:
    """One claim of each verdict, in a file of its own."""
    monkeypatch.setattr(places, "verdicts", lambda: tmp_path / "verdicts.json")
    monkeypatch.setattr(marks, "read_verdicts", lambda: written)
    margins = {"supported": (0.3, 0.4, 0.35), "refuted": (-0.3, -0.4, -0.35), "undecided": (0.3, -0.3, 0.0)}
    control = Interval.of((0.0, 0.1, -0.1))
    written = {
        key: Verdict(
            exhibit=key,
            params={},
            shown=Interval.of(values),
            control=control,
            seconds=2.4,
            version="1",
            date="2026-01-02T03:04:05+00:00",
        )
        for key, values in zip(BUILT, margins.values())
    }
    write_verdicts(written)
    return written


def test_claims_are_filtered_by_verdict(judged: dict[str, Verdict]) -> None:
    app = open_page("claims")
    assert words(app).count("judged 2026-01-02") == len(judged)
    for outcome in marks.VERDICTS:
        some = open_page("claims", verdict=outcome)
        expected = [key for key, verdict in judged.items() if verdict.outcome == outcome]
        links = [one.proto.query_string for one in some.get("page_link")]
        assert [link.replace("%2F", "/") for link in links] == [f"exhibit={key}" for key in expected]
    wrong = open_page("claims", verdict="suported")
    assert plain("did you mean 'supported'?") in wrong.warning[0].value


@pytest.mark.usefixtures("one_frame")
def test_a_verdict_is_on_the_card_and_on_the_page_of_its_exhibit(judged: dict[str, Verdict]) -> None:
    key, verdict = next(iter(judged.items()))
    assert f"{verdict.outcome}, 3 seeds" in words(open_page("home"))
    app = open_page("exhibit", exhibit=key)
    assert f"{verdict.outcome}, 3 seeds" in words(app)
    assert "about 2 s" in button(app, "run-button").label
    until_done(app)


# your data


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    return checked(app.file_uploader[0].set_value((name, content, "text/csv")).run())


def test_a_graph_is_drawn_measured_used_and_deleted() -> None:
    app = upload(open_page("data"), "friends.csv", TRIANGLES)
    (name,) = data.own()
    assert one_value(app.query_params["graph"]) == name
    assert {one.label: one.value for one in app.metric}["nodes"] == "5"
    assert pictures(app)
    assert plain("self-loop") in words(app)
    links = [one.proto.query_string for one in app.get("page_link")]
    assert any("source=mine" in link for link in links)
    checked(button(app, "delete").click().run())
    assert data.own() == []
    assert not pictures(app)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("picture.png", b"\x89PNG"),
        ("pickle.gml", b"\x80\x04K\x01."),
        ("bytes.csv", b"a,b\n\xff\xfe,c\n"),
        ("<script>.csv", b"only one column\n"),
    ],
)
def test_a_bad_file_gets_one_line_and_nothing_is_kept(name: str, content: bytes) -> None:
    app = upload(open_page("data"), name, content)
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value
    assert "<script>" not in app.error[0].value.replace(r"\<script\>", "")
    assert data.own() == []


@pytest.mark.usefixtures("one_frame")
def test_an_own_graph_is_a_choice_of_an_exhibit_that_takes_it() -> None:
    name = data.add(TRIANGLES, "friends.csv")
    app = open_page("exhibit", exhibit=DAGNN, source=name)
    chosen = next(one for one in app.selectbox if one.key == f"{DAGNN}:source")
    assert chosen.value == name
    until_done(app)
    assert "labels" in app.error[0].value  # the graph has none, and the page says so


def test_a_graph_that_is_not_there_is_told() -> None:
    assert "mine/none" in open_page("data", graph="mine/none").warning[0].value.replace("\\", "")


def test_the_atlas_needs_nothing_of_torch() -> None:
    code = (
        "import sys\n"
        "from streamlit import config\n"
        "from streamlit.testing.v1 import AppTest\n"
        "config.set_option('server.address', 'localhost')\n"
        f"app = AppTest.from_file({str(places.app() / 'dashboard.py')!r}, default_timeout=60)\n"
        f"sys.path.insert(0, {str(places.app())!r})\n"
        "app.run()\n"
        "assert not app.exception\n"
        "assert app.title[0].value\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# runs that outlive a page


@pytest.mark.usefixtures("opened")
def test_a_run_is_seen_from_two_windows_survives_both_and_is_stopped_from_either() -> None:
    query = {"exhibit": "shelf/steady", "steps": "500", "pause": "0.05"}
    first = open_page("exhibit", **query)
    first.session_state["on stage"][2].stop()
    checked(button(until_done(first), "run-button").click().run())
    run = one_value(first.query_params["run"])
    second = open_page("exhibit", exhibit="shelf/steady", run=run)
    assert second.session_state["on stage"][2] is first.session_state["on stage"][2]
    assert one_value(second.query_params["steps"]) == "500"
    assert first.session_state["on stage"][2].patience is None  # nobody has to look at it for it to go on
    checked(button(second, "stop").click().run())
    until_done(second)
    until_done(first)
    told = f"Stopped after {len(runs.pool().get(run).frames)} frames."
    assert told in [one.value for one in first.caption]
    assert told in [one.value for one in second.caption]


@pytest.mark.usefixtures("opened")
def test_a_run_is_found_again_after_a_restart_and_can_be_made_anew() -> None:
    query = {"exhibit": "shelf/steady", "steps": "3"}
    job = until_done(open_page("exhibit", **query)).session_state["on stage"][2]
    runs.pool().close()
    runs.pool.clear()  # as a server that is started again
    app = open_page("exhibit", **query)
    found = app.session_state["on stage"][2]
    assert (found.id, found.state, len(found.frames)) == (job.id, "done", 4)
    assert any("this is that run" in one.value for one in app.caption)
    assert button(app, "run-button").label.startswith("Run it anyway")
    checked(button(app, "run-button").click().run())
    anew = until_done(app).session_state["on stage"][2]
    assert anew.id != job.id
    assert anew.state == "done"
    linked = open_page("exhibit", exhibit="shelf/steady", run=job.id)
    assert linked.session_state["on stage"][2].id == job.id
    wrong = open_page("exhibit", exhibit=DAGNN, run=job.id, steps="12")
    assert plain(f"run {job.id} is of shelf/steady") in wrong.warning[0].value
    wrong.session_state["on stage"][2].stop()


@pytest.mark.usefixtures("opened")
def test_a_run_that_nobody_asked_for_ends_when_its_visitor_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LEFT", 0.1)
    app = open_page("exhibit", exhibit="shelf/steady", steps="5000", pause="0.05")
    casual = app.session_state["on stage"][2]
    assert casual.patience == runs.PATIENCE
    app.query_params.clear()
    app.query_params["exhibit"] = "shelf/nan"
    checked(app.run())
    assert casual.wait(30).state == "stopped"
    assert casual.fault == "nobody watched it"


@pytest.mark.usefixtures("opened")
def test_too_many_runs_are_told_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURORAMA_QUEUE_LIMIT", "1")
    jobs = runs.pool()
    going = []
    for seed in range(2):
        going.append(jobs.submit("shelf/steady", {"steps": 1000, "pause": 0.05, "seed": seed}))
        next(iter(going[-1]))
    waiting = jobs.submit("shelf/steady", {"seed": 2})
    app = open_page("exhibit", exhibit="shelf/steady", seed="3")
    assert plain("as many runs wait already as may: 1") in app.error[0].value
    for job in [waiting, *going]:
        job.stop()


# sweeps


@pytest.mark.usefixtures("opened")
def test_a_sweep_fills_in_and_each_cell_opens_its_run() -> None:
    app = open_page("sweep", exhibit="shelf/steady", x="effect", xs="1, 2", y="steps", ys="2, 3", seeds="2")
    assert button(app, "sweep").label == "Run 8 runs"
    checked(button(app, "sweep").click().run())
    until_done(app, "stop-sweep")
    assert pictures(app)
    table = app.dataframe[0].value
    assert len(table) == 8
    assert set(table["state"]) == {"done"}
    run = table["open"].iloc[0].partition("run=")[2]
    assert runs.pool().get(run).key == "shelf/steady"
    bad = open_page("sweep", exhibit="shelf/steady", x="effect", xs="99", y="steps", ys="2")
    checked(button(bad, "sweep").click().run())
    assert "effect" in bad.error[0].value
