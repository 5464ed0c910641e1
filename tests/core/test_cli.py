"""The command line: what it prints, what it refuses, and that it writes nothing when it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nbformat
import pytest
import typer
from typer.testing import CliRunner, Result

from neurorama import InputError, catalogue, cli, hosts, places, runner, skeleton
from neurorama.verdicts import read_verdicts

QUICK = ("--set", "steps=10", "--set", "depth=2")


def call(*words: str) -> Result:
    return CliRunner().invoke(cli.app, list(words))


def refused(*words: str) -> str:
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("neurorama: ")
    return lines[0]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the checkout."""
    monkeypatch.setattr(places, "root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Looking


def test_without_a_command_it_tells_what_there_is() -> None:
    result = call()
    assert result.exit_code == 0
    words = ["list", "search", "show", "run", "judge", "league", "check", "bench", "new", "export", "app", "lab"]
    words += ["traces", "doctor", "data", "kernel"]
    assert all(f"\n  {word} " in result.stdout for word in words)


def commands(group: typer.Typer, *before: str) -> list[tuple[str, ...]]:
    names = [info.name or info.callback.__name__ for info in group.registered_commands if info.callback]
    nested = [call for info in group.registered_groups for call in commands(info.typer_instance, *before, info.name)]  # type: ignore[arg-type]
    return [(*before, name) for name in names] + nested


@pytest.mark.parametrize("words", commands(cli.app), ids=" ".join)
def test_each_command_has_help_in_a_plain_sentence(words: tuple[str, ...]) -> None:
    result = call(*words, "--help")
    assert result.exit_code == 0
    sentence = result.stdout.split("\n\n")[1].strip()
    assert sentence[0].isupper()
    assert sentence.endswith((".", ")."))


def test_listing() -> None:
    every = json.loads(call("list", "--json").stdout)
    assert len(every) == 372
    assert [row["key"] for row in every if row["built"]] == [row.key for row in catalogue.built()]
    assert len(call("list", "--built").stdout.splitlines()) == len(catalogue.built())
    lines = call("list", "--area", "brain").stdout.splitlines()
    assert len(lines) == 21
    assert all(" brain/" in line for line in lines)


def test_searching() -> None:
    assert "memory_assoc/modern_hopfield" in call("search", "hopfeild").stdout.splitlines()[0]
    assert (
        json.loads(call("search", "lotery", "ticket", "--json").stdout)[0]["key"] == "adaptive_compute/lottery_ticket"
    )


def test_showing() -> None:
    shown = call("show", "dagnn").stdout
    words = ("Towards Deeper Graph Neural Networks", "KDD, 2020", "1 to 64", "true, false", "mine/...", "APPNP")
    assert all(word in shown for word in words)
    facts = json.loads(call("show", "neurosat", "--json").stdout)
    assert (facts["built"], facts["knobs"], facts["verdict"]) == (False, {}, None)
    for row in catalogue.built():
        assert call("show", row.key).exit_code == 0


# Running


def test_running_prints_how_it_ended() -> None:
    told = json.loads(call("run", "dagnn", *QUICK, "--seed", "3", "--json").stdout)
    trace = runner.run("dagnn", {"steps": 10, "depth": 2, "seed": 3})
    assert told["params"] == dict(trace.params)
    assert told["metrics"]["test accuracy/DAGNN"] == trace.last("test accuracy/DAGNN")
    assert told["margin"] == catalogue.load("dagnn").claim.margin(trace)
    shown = call("run", "dagnn", *QUICK, "--source", "karate").stdout
    assert shown.splitlines()[0].split() == ["DAGNN", "GCN"]
    assert "test accuracy" in shown


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("run", "dagn"), "did you mean 'dagnn'?"),
        (("run", "neurosat"), "planned, not built yet"),
        (("run", "dagnn", "--set", "depth=999"), "depth='999': input should be less than or equal to 64"),
        (("run", "dagnn", "--set", "dpth=3"), "did you mean 'depth'?"),
        (("run", "dagnn", "--set", "depth"), "write KNOB=VALUE"),
        (("run", "dagnn", "--set", "dropout=nan"), "finite number"),
        (("run", "dagnn", "--seed", "-1"), "seed=-1"),
        (("run", "dagnn", "--seed", "x"), "Invalid value for '--seed'"),
        (("run", "dagnn", "--source", "karat"), "did you mean 'karate'?"),
        (("run", "dagnn", "--source", "mine/ghost"), "mine/ghost"),
        (("run",), "Missing argument"),
        (("rnu", "dagnn"), "'run'"),
        (("run", "dagnn", "--sed", "1"), "--seed"),
        (("list", "--area", "brian"), "did you mean 'brain'?"),
        (("judge",), "--all"),
        (("judge", "dagnn", "--all"), "--all"),
        (("judge", "neurosat"), "planned"),
        (("judge", "dagnn", "--seeds", "1"), "--seeds"),
        (("check", "nothing_such"), "neurorama search"),
        (("league", "message_passing/nods"), "did you mean 'message_passing/nodes'?"),
        (("league", "message_passing/nodes", "--source", "x"), "allowed: karate"),
        (("league", "message_passing/nodes", "--only", "DAGN"), "did you mean 'DAGNN'?"),
        (("league", "message_passing/nodes", "--set", "depth=99"), "depth='99'"),
        (("export", "dagnn", "--notebook", "no/such/folder/x.ipynb"), "there is no folder"),
        (("export", "dagnn", "--notebook", "x.ipynb", "--set", "depth=0"), "greater than or equal to 1"),
        (("data", "add", "nothing.csv"), "nothing.csv"),
        (("data", "lst"), "'list'"),
        (("new", "message_passing/dagnn"), "is there already"),
        (("new", "message_passing/nothing"), "no paper is called"),
        (("kernel", "install", "--user", "--sys-prefix"), "say one of them"),
        (("app", "--port", "70000"), "--port"),
        (("app", "--host", "no.such.host.invalid"), "nobody would ask who they are"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    words: tuple[str, ...], hint: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hint in refused(*words)
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_is_not_taken_as_a_graph(tmp_path: Path, own_data_folder: Path) -> None:
    file = tmp_path / "graph.gml"
    file.write_bytes(b"\x80\x04K\x01.")
    assert "pickle" in refused("data", "add", str(file))
    assert not own_data_folder.exists()


def test_adding_a_graph_makes_it_a_source(tmp_path: Path) -> None:
    file = tmp_path / "friends.csv"
    file.write_text("source,target\nann,bob\nbob,cid\ncid,ann\n")
    name = call("data", "add", str(file), "--name", "pals").stdout.strip()
    assert name.startswith("mine/pals")
    assert name in [source["name"] for source in json.loads(call("data", "list", "--json").stdout)]


# Judging


@pytest.mark.usefixtures("shelf")
def test_judging_keeps_what_it_prints(home: Path) -> None:
    told = json.loads(call("judge", "shelf/steady", "--seeds", "3", "--json").stdout)
    kept = json.loads((home / "assets" / "verdicts.json").read_text())
    assert kept == told
    assert kept["shelf/steady"]["shown"]["outcome"] == "supported"
    line = call("judge", "shelf/steady", "shelf/where", "shelf/steady", "--seeds", "2").stdout.splitlines()
    assert sorted(words.partition(":")[0] for words in line) == ["shelf/steady", "shelf/where"]
    assert any("✓ supported" in words for words in line)
    assert list(read_verdicts()) == ["shelf/steady", "shelf/where"]


@pytest.mark.usefixtures("shelf")
def test_an_exhibit_that_cannot_be_judged_is_told_and_the_rest_is_kept(home: Path) -> None:
    result = call("judge", "shelf/raises", "shelf/steady", "--seeds", "2")
    assert result.exit_code == 1
    assert "shelf/raises cannot be judged" in result.stderr
    assert "ZeroDivisionError" in result.stderr
    assert list(read_verdicts()) == ["shelf/steady"]


def test_a_file_of_verdicts_that_cannot_be_read_is_left_as_it_is(home: Path) -> None:
    (home / "assets").mkdir()
    file = home / "assets" / "verdicts.json"
    file.write_text('{"a/b": 3}')
    assert "is not a file of verdicts" in refused("judge", "dagnn", "--seeds", "2")
    assert file.read_text() == '{"a/b": 3}'
    assert list(file.parent.iterdir()) == [file]


def test_a_league_ends_in_a_table() -> None:
    told = json.loads(call("league", "message_passing/nodes", "--steps", "5", "--json").stdout)
    assert (told["metric"], told["steps"]) == ("test accuracy", 5)
    assert {"DAGNN", "GCN, 2 layers"} <= set(told["scores"])
    assert list(told["scores"].values()) == sorted(told["scores"].values(), reverse=True)
    assert "DAGNN" in call("league", "message_passing/nodes", "--steps", "5").stdout


def test_a_league_of_some_at_a_depth_shows_every_figure() -> None:
    few = ("league", "message_passing/nodes", "--steps", "3", "--set", "depth=5", "--only", "dagnn")
    told = json.loads(call(*few, "--json").stdout)
    assert set(told["systems"]) == {"DAGNN", "GCN", "GCN, 2 layers", "MLP"}
    assert (told["depth"], told["source"], told["meaning"]) == (5, "karate", "accuracy on the test nodes")
    deep = told["systems"]["GCN"]
    assert {"test accuracy", "seconds", "parameters", "energy by layer"} <= set(deep)
    assert deep["energy by layer"]["x"] == [0, 1, 2, 3, 4, 5]
    assert deep["parameters"] == 34 * 16 + 16 + 3 * (16 * 16 + 16) + 16 * 2 + 2
    shown = [line.split() for line in call(*few).stdout.splitlines()]
    head = next(line for line in shown if line[:1] == ["energy"])
    assert head == ["energy", "by", "layer,", "at", "0", "1", "2", "4", "last"]
    rows = {line[0]: line[1:] for line in shown[shown.index(head) + 1 :]}
    assert [float(cell) for cell in rows["GCN"]] == pytest.approx(
        [deep["energy by layer"]["y"][i] for i in (0, 1, 2, 4, 5)], rel=1e-3, abs=1e-3
    )


def test_checking_tells_faults_and_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurorama.check.faults", lambda key, whole: ["something lacks"] if "sgc" in key else [])
    good = call("check", "dagnn")
    assert (good.exit_code, good.stdout) == (0, "message_passing/dagnn: keeps the contract\n")
    bad = call("check", "--all")
    assert bad.exit_code == 1
    assert "message_passing/sgc: something lacks" in bad.stdout


# Making and taking away


def test_a_skeleton_fails_the_check_until_it_is_filled(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue.Row, "path", property(lambda row: home / "core" / f"{row.slug}.py"))
    result = call("new", "neurosat")
    assert result.exit_code == 0, result.output
    test = home / "tests" / "exhibits" / "reasoning" / "test_neurosat.py"
    assert result.stdout.splitlines() == [str(home / "core" / "neurosat.py"), str(test)]
    scope: dict = {"__name__": "neurosat"}
    exec(compile((home / "core" / "neurosat.py").read_text(), "neurosat", "exec"), scope)
    from neurorama import faults

    found = "\n".join(faults(scope["EXHIBIT"], whole=True))
    assert all(
        word in found for word in ("arms", "views", "where it breaks", "control", "statement", "departs", "margin")
    )
    before = test.read_text()
    assert "is there already; it is left as it is" in refused("new", "neurosat")
    assert test.read_text() == before


@pytest.mark.parametrize("row", catalogue.papers()[::31], ids=lambda row: row.slug)
def test_each_skeleton_is_python(row: catalogue.Row, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue.Row, "path", property(lambda row: home / f"{row.slug}.py"))
    for file in skeleton.write(row.key):
        compile(file.read_text(encoding="utf-8"), file.name, "exec")


def test_an_installed_package_writes_no_skeleton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "root", lambda: None)
    assert "in a checkout" in refused("new", "neurosat")


def test_exporting_writes_a_notebook_with_these_knobs(tmp_path: Path) -> None:
    file = tmp_path / "mine.ipynb"
    assert call("export", "dagnn", "--notebook", str(file), "--set", "depth=5", "--seed", "7").exit_code == 0
    made = nbformat.read(file, as_version=4)
    nbformat.validate(made)
    assert "'depth': 5," in made.cells[3].source
    assert "'seed': 7," in made.cells[3].source


def test_the_kernel_is_installed_where_it_is_told(tmp_path: Path) -> None:
    where = Path(call("kernel", "install", "--prefix", str(tmp_path)).stdout.strip())
    spec = json.loads((where / "kernel.json").read_text())
    assert where.is_relative_to(tmp_path)
    assert where.name == "neurorama"
    assert spec["display_name"] == "Neurorama"
    assert spec["argv"][0] == sys.executable


def test_notebooks_are_copied_but_never_over_changed_ones(tmp_path: Path, monkeypatch, capsys) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for name in ("a", "b"):
        (shipped / f"{name}.ipynb").write_text(name)
    monkeypatch.setattr(places, "notebooks", lambda: shipped)
    own = hosts._copies(tmp_path / "own")
    (own / "a.ipynb").write_text("my notes")
    (own / "b.ipynb").unlink()
    hosts._copies(own)
    assert (own / "a.ipynb").read_text() == "my notes"
    assert (own / "b.ipynb").read_text() == "b"
    assert capsys.readouterr().out == "a.ipynb was changed; it is left as it is\n"


def test_a_port_in_use_is_told() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port={port} is in use" in refused("app", "--port", port, "--host", "127.0.0.1")


def test_the_doctor_looks_at_everything() -> None:
    facts = {fact["what"]: fact for fact in json.loads(call("doctor", "--json").stdout)}
    assert {"neurorama", "python", "torch", "streamlit", "device", "data", "data folder", "notebook kernel"} <= set(
        facts
    )
    assert facts["torch"]["fine"]
    assert all(fact["fine"] or fact["remedy"] for fact in facts.values())


# The real program


def program(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from neurorama.cli import main; main()", *words],
        cwd=cwd,
        text=True,
        capture_output=True,
    )


def test_the_program_ends_with_the_right_code_and_no_traceback(tmp_path: Path) -> None:
    good, bad = program("list", "--built", cwd=tmp_path), program("run", "dagn", cwd=tmp_path)
    assert good.returncode == 0
    assert "message_passing/dagnn" in good.stdout
    assert bad.returncode == 2
    assert bad.stderr == "neurorama: no paper is called 'dagn'; did you mean 'dagnn'?\n"
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_not_here_is_told() -> None:
    with pytest.raises(InputError, match="not an address of this machine"):
        hosts._free("no.such.host.invalid", 8501, "neurorama app")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal on POSIX systems")
def test_ctrl_c_is_one_line() -> None:
    code = "from neurorama.cli import main; print('here', flush=True); main()"
    command = [sys.executable, "-c", code, "run", "dagnn", "--set", "steps=1000", "--set", "depth=64"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also where the suite runs in background
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdout=pipe, stderr=pipe, preexec_fn=heard) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err) == ("", "neurorama: stopped\n")
