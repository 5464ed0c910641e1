"""`neurorama runs`: what it prints, what it refuses, and that nothing is written where it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neurorama import Frame, cli, codec
from neurorama.store import Identity, Record, Store


def call(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["runs", *words])


def said(*words: str) -> str:
    result = call(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: str) -> str:
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("neurorama: ")
    return line


@pytest.fixture
def runs() -> list[Record]:
    """Three runs, the newest first: one failed, one done, one as an older server left it."""
    made = []
    with Store() as store:
        for seed, (state, error) in enumerate((("done", ""), ("done", ""), ("failed", "it broke\nTraceback"))):
            identity = Identity("message_passing/dagnn", {"depth": seed + 2, "gates": True}, seed, "", "1")
            run, writer = store.add(identity, name="the second <b>" if seed == 1 else "").id, codec.Writer()
            store.start(run)
            for step in range(4):
                store.append(run, writer.write([Frame(step, 3, {"loss/A": 1.0 / (step + 1)})]), step, 3)
            made.append(store.end(run, state, error, {"loss/A": 0.25, "margin": 0.125}))  # type: ignore[arg-type]
    return made[::-1]


def test_runs_are_listed_newest_first(runs: list[Record]) -> None:
    result = call("list")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [record.id for record in runs]
    assert "the second <b>" in lines[1]
    assert "margin 0.125" in lines[1]
    assert result.stderr == "3 of 3 runs\n"
    assert said("list", "second").startswith(runs[1].id)
    assert said("list", "--state", "failed").startswith(runs[0].id)
    assert said("list", "--limit", "1", "--page", "3").startswith(runs[2].id)
    assert said("list", "--key", "sgc") == ""
    assert [run["id"] for run in json.loads(said("list", "--json"))] == [record.id for record in runs]


def test_a_run_is_shown_by_how_its_id_begins(runs: list[Record]) -> None:
    facts = json.loads(said("show", runs[0].id[:10], "--json"))
    assert facts["knobs"] == {"seed": 2, "depth": 4, "gates": True}
    assert facts["numbers"] == {"loss/A": 0.25, "margin": 0.125}
    assert (facts["state"], facts["error"], facts["frames"]) == ("failed", "it broke\nTraceback", 4)
    text = said("show", runs[0].id)
    assert "Knobs" in text
    assert "it broke" in text


def test_what_is_not_there_gets_the_nearest(runs: list[Record]) -> None:
    wrong = f"{runs[0].id[:-1]}x"
    assert refused("show", wrong).endswith(f"no run is called '{wrong}'; did you mean '{runs[0].id}'?")
    assert "try `neurorama runs list`" in refused("rm", "zzzz")
    assert "did you mean 'failed'" in refused("list", "--state", "faild")
    assert "no paper is called 'nosuch'" in refused("list", "--key", "nosuch")
    assert "no run is called" in refused("show", runs[0].id[:3])  # too short to stand for it
    refused("rm", runs[0].id, wrong)
    assert len(json.loads(said("list", "--json"))) == 3


def test_there_is_nothing_yet() -> None:
    assert "there are none yet" in refused("show", "abcd")
    assert said("list") == ""


def test_runs_are_deleted_and_pruned(runs: list[Record]) -> None:
    assert said("rm", runs[0].id) == f"{runs[0].id}\n"
    assert said("prune", "--keep-days", "1") == ""
    assert sorted(said("prune", "--keep-days", "0").split()) == sorted(record.id for record in runs[1:])
    assert said("list") == ""
    assert "--keep-days" in refused("prune")


def test_a_run_goes_out_and_comes_in(runs: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "run.neurorama"
    assert said("export", runs[1].id, str(file)) == f"{file}\n"
    new = said("import", str(file)).strip()
    facts, old = (json.loads(said("show", run, "--json")) for run in (new, runs[1].id))
    differing = {name for name in facts if facts[name] != old[name]}
    assert differing <= {"id", "bytes"}
    with Store() as store:
        assert [f.values for f in store.frames(new)] == [f.values for f in store.frames(runs[1].id)]
    assert "cannot be written: " in refused("export", new, str(tmp_path / "no" / "run"))
    assert "cannot be read: " in refused("import", str(tmp_path / "none"))
    file.write_bytes(b"PK\3\4 something else")
    assert "not recorded frames" in refused("import", str(file))


def test_a_store_that_cannot_be_opened_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no database" * 100)
    monkeypatch.setenv("NEURORAMA_STORE", f"sqlite:///{tmp_path}/x")
    assert "is damaged" in refused("list")
    monkeypatch.setenv("NEURORAMA_STORE", "sqlte:///x")
    assert "NEURORAMA_STORE" in refused("list")
