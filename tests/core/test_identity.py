"""A run is found again only where nothing that makes it has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neurorama import InputError, catalogue, data, identity
from neurorama.identity import identify


def test_knobs_in_any_form_are_the_same_run() -> None:
    params = catalogue.load("dagnn").params
    usual = identify("dagnn")
    assert usual.key == "message_passing/dagnn"
    assert usual.params == params().model_dump()
    for same in ({}, params(), {"seed": "0"}, {"depth": str(params().depth)}):
        assert identify("message_passing/dagnn", same).fingerprint == usual.fingerprint
    for other in ({"seed": 1}, {"depth": 3}, {"gates": False}, {"source": "blocks"}):
        assert identify("dagnn", other).fingerprint != usual.fingerprint
    with pytest.raises(InputError, match="did you mean 'depth'"):
        identify("dagnn", {"dpeth": 3})


def test_another_graph_under_the_same_name_is_another_run(own_data_folder: Path) -> None:
    name = data.add(b"source,target,class\na,b,x\nb,c,y\nc,a,x\n", "friends.csv")
    knobs = {"source": name}
    first = identify("dagnn", knobs)
    assert first.source != ""
    assert identify("dagnn", knobs) == first
    file = own_data_folder / f"{name}.json"
    kept = file.read_text(encoding="utf-8")
    file.write_text(kept.replace('"a"', '"d"'), encoding="utf-8")
    assert identify("dagnn", knobs).source != first.source
    file.write_text(kept, encoding="utf-8")
    assert identify("dagnn", knobs) == first
    file.unlink()
    assert identify("dagnn", knobs).source not in ("", first.source)


def test_a_benchmark_is_known_by_its_files(own_data_folder: Path) -> None:
    absent = identify("sgc", {"source": "cora"}).source
    file = own_data_folder / "pyg/cora/raw/ind.cora.x"
    for name in data.benchmark.BENCHMARKS["cora"].files:
        file = own_data_folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"1")
    there = identify("sgc", {"source": "cora"}).source
    file.write_bytes(b"2")
    assert len({absent, there, identify("sgc", {"source": "cora"}).source, ""}) == 4


def test_other_code_makes_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "neurorama"
    here = identity.PACKAGE
    shutil.copytree(here, package, ignore=shutil.ignore_patterns("__pycache__"))
    exhibit = package / "exhibits/message_passing/dagnn.py"
    monkeypatch.setattr(identity, "PACKAGE", package)

    sources = [file.relative_to(here) for file in catalogue.row("dagnn").sources]

    def code(home: Path) -> str:
        return identity._code([home / file for file in sources])

    usual = code(package)
    assert usual == code(here)
    seen = {usual}
    for file in ("exhibits/message_passing/arena/nodes.py", "kernels/propagation.py", "data/synthetic.py", "arena.py"):
        text = (package / file).read_text(encoding="utf-8")
        (package / file).write_text(text + "\n# changed\n", encoding="utf-8")
        seen.add(code(package))
        (package / file).write_text(text, encoding="utf-8")
    assert code(package) == usual
    exhibit.write_text(exhibit.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    seen.add(code(package))
    assert len(seen) == 6
    (package / "exhibits/message_passing/sgc.py").write_text("")  # another exhibit's file is no difference
    assert code(package) in seen
