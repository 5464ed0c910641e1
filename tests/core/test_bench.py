"""The bench: both sides agree, the check can fail, and what is printed is what was measured. Speed is not tested."""

import contextlib
import dataclasses
import importlib.util
import json
import subprocess
import sys

import pytest
import torch

from neurorama import bench
from neurorama.bench import duel as duels
from neurorama.bench import growth as growths
from neurorama.bench import jobs, memory, stage, store

OVERHEAD = jobs.Overhead(warm=0.05, cold=5.0, claims=12, seeds=2, judged={1: 100.0, 2: 60.0})


@pytest.fixture(autouse=True)
def no_side_processes(monkeypatch):
    """Memory is measured in processes of its own, which take seconds each; one test does it in this one."""
    monkeypatch.setattr(memory, "in_new_process", lambda *words: None)


@pytest.mark.parametrize("duel", bench.DUELS, ids=lambda duel: duel.name)
def test_both_sides_give_the_same_answer(duel):
    result = bench.fight(duel, quick=True, repeats=2)
    assert 0 <= result.gap <= duel.allowed
    assert result.ours > 0
    assert result.theirs > 0
    assert result.ratio == pytest.approx(result.theirs / result.ours)
    assert result.met is (None if duel.aim is None else result.ratio >= duel.aim)


WRONG = {
    "propagation": lambda out: out + 0.1,
    "propagation, with gradient": lambda out: torch.cat([out[:1], 1.1 * out[1:]]),
    "colour refinement, many graphs": lambda classes: [0, *range(len(classes) - 1)],
    "colour refinement, large graphs": lambda classes: [0, 1],
    "scan, with gradient": lambda out: out.roll(1, dims=2),
    "explainer": lambda masks: [mask.roll(1) for mask in masks],
    "SGC, from graph to answer": lambda logits: logits.roll(1, dims=0),
    "SGC in place of a GCN": lambda logits: logits.roll(1, dims=1),
}


@pytest.mark.parametrize("duel", bench.DUELS, ids=lambda duel: duel.name)
def test_a_wrong_answer_is_an_error(duel):
    def wrong(data):
        call = duel.ours(data)
        return lambda: WRONG[duel.name](call())

    with pytest.raises(RuntimeError, match="apart"):
        bench.fight(dataclasses.replace(duel, ours=wrong), quick=True)


@pytest.mark.parametrize("growth", bench.GROWTHS, ids=lambda growth: growth.name)
def test_what_grows_is_what_it_should_be_and_a_wrong_result_is_an_error(growth):
    result = growths.grow(growth, quick=True, seconds=0.0)
    assert 0 <= result.gap <= growth.allowed
    assert len(result.seconds) == len(result.sizes) == len(growth.quick)
    with pytest.raises(RuntimeError, match="from what it should be"):
        growths.grow(dataclasses.replace(growth, call=lambda data: growth.call(data).roll(1, dims=0)), quick=True)


def test_the_exponent_is_the_slope_of_the_logarithms_and_aims_can_be_missed(monkeypatch):
    seconds = {1: 3.0, 2: 12.0, 4: 48.0}  # quadratic
    clock = [0.0]

    def call(edges):
        clock[0] += seconds[edges]
        return torch.ones(1)

    monkeypatch.setattr(growths.time, "perf_counter", lambda: clock[0])
    sizes = [{"edges": edges} for edges in seconds]
    square = growths.Growth("g", lambda edges: edges, call, torch.ones, lambda a, b: 0.0, sizes, sizes, 0.0)
    result = growths.grow(square, quick=True)
    assert result.seconds == [3.0, 12.0, 48.0]
    assert result.exponent == pytest.approx(2)
    assert not result.met
    assert growths.grow(dataclasses.replace(square, exponent=2.01), quick=True).met
    monkeypatch.setattr(memory, "in_new_process", lambda *words: 9000.0)
    assert not growths.grow(dataclasses.replace(square, exponent=2.01), quick=True).met
    assert growths.grow(dataclasses.replace(square, exponent=2.01, mib=9001), quick=True).met


def test_ratio_is_of_medians_and_sides_take_turns(monkeypatch):
    turns = []
    seconds = {"ours": iter([9.0, 1.0, 5.0, 2.0]), "theirs": iter([9.0, 30.0, 4.0, 6.0])}

    def timed(call):
        result = call()
        return next(seconds[turns[-1]]), result

    def side(name):
        def prepare(data):
            def call():
                turns.append(name)
                return data

            return call

        return prepare

    duel = duels.Duel("d", "r", lambda: 1, side("ours"), side("theirs"), lambda data, a, b: 0.0, {}, {}, aim=4)
    monkeypatch.setattr(duels, "_timed", timed)
    result = bench.fight(duel, repeats=3)
    assert (result.ours, result.theirs, result.ratio, result.met) == (2.0, 6.0, 3.0, False)
    assert (result.first_ours, result.first_theirs) == (9.0, 9.0)
    assert turns[-6:] == ["ours", "theirs"] * 3


def test_printed_json_is_what_was_measured(monkeypatch, capsys):
    monkeypatch.setattr(bench, "DUELS", bench.DUELS[:1])
    monkeypatch.setattr(bench, "GROWTHS", bench.GROWTHS[:1])
    monkeypatch.setattr(store, "WRITERS", store.WRITERS[:1])
    monkeypatch.setattr(jobs, "measure", lambda quick: OVERHEAD)
    threads = torch.get_num_threads()
    bench.main(json=True, quick=True)
    told = json.loads(capsys.readouterr().out)
    assert torch.get_num_threads() == threads
    assert told["machine"]["torch"] == str(torch.__version__)
    assert told["machine"]["torch threads"] == 1
    (duel,) = [bench.Result(**duel) for duel in told["duels"]]
    assert duel.name == "propagation"
    (growth,) = [bench.Grown(**growth) for growth in told["growths"]]
    assert growth.name == "propagation, 16 hops"
    assert [store.Kept(**kept).writer for kept in told["store"]] == ["ours, SQLite"] * 2
    assert jobs.Overhead(**told["jobs"]) == OVERHEAD


def test_the_table_says_whether_an_aim_was_met(monkeypatch, capsys):
    one = bench.fight(bench.DUELS[0], quick=True, repeats=2)
    results = [one.model_copy(update={"ratio": 7.0, "met": True}), one.model_copy(update={"ratio": 2.0, "met": False})]
    monkeypatch.setenv("COLUMNS", "200")
    grown = growths.grow(bench.GROWTHS[0], quick=True).model_copy(
        update={"exponent": 1.31, "peak": 7000.0, "met": False}
    )
    monkeypatch.setattr(bench, "measure", lambda quick: results)
    monkeypatch.setattr(bench, "measure_growth", lambda quick: [grown])
    kept = store.Kept(workload="12 curves", writer="ours, SQLite", at_once=True, rate=1234.0, ratio=1.0, newest=0.004)
    away = store.Kept(
        workload="12 curves", writer="MLflow, file store", at_once=True, skipped="mlflow is not installed"
    )
    monkeypatch.setattr(store, "measure", lambda quick: [kept, away])
    monkeypatch.setattr(jobs, "measure", lambda quick: OVERHEAD)
    monkeypatch.setattr(stage, "measure", lambda quick: {"bytes": 123456, "frames a second": 42.0})
    bench.main()
    printed = " ".join(capsys.readouterr().out.split())  # wherever lines were broken
    assert "123,456" in printed
    assert "1,234" in printed
    assert "4 ms" in printed
    assert "skipped: mlflow is not installed" in printed
    sentence = " ".join(printed.split())  # wherever the screen breaks it
    assert "50 ms more than here (at most 100, met), 5 s more on a new server (at most 4, not met)" in sentence
    assert "100 s with one side process, 60 s with two, 1.67 times as fast" in sentence
    assert "1.31 (at most 1.1)" in printed
    assert "7,000 MiB" in printed
    assert "5, met" in printed
    assert "5, not met" in printed
    assert bench.machine()["cpu"].split()[0] in printed


def test_memory_is_that_of_the_first_result(monkeypatch):
    """A side that holds 200 MiB more shows 200 MiB more, whatever the data and the libraries take."""

    def hungry(data):
        return lambda: torch.ones(200 * 2**18).sum()

    duel = dataclasses.replace(bench.DUELS[0], theirs=hungry)
    if not memory.known():
        pytest.skip("needs Linux")
    little, much = duels.weigh(duel, "ours", quick=True), duels.weigh(duel, "theirs", quick=True)
    assert little < 50
    assert 190 < much < 250


def test_a_process_of_its_own_prints_the_peak_of_one_side():
    if not memory.known():
        pytest.skip("needs Linux")
    told = subprocess.run(
        [sys.executable, "-m", "neurorama.bench", "propagation", "ours", "quick"], capture_output=True, check=True
    )
    assert 0 <= float(told.stdout) < 50
    told = subprocess.run(
        [sys.executable, "-m", "neurorama.bench", bench.GROWTHS[0].name, "whole", "quick"],
        capture_output=True,
        check=True,
    )
    assert 50 < float(told.stdout) < 2000  # torch alone is more than that


def test_every_writer_gives_back_what_was_written_or_says_why_it_takes_no_part(monkeypatch):
    monkeypatch.setattr(store, "find_spec", lambda name: None if name == "mlflow" else importlib.util.find_spec(name))
    monkeypatch.delenv("NEURORAMA_TEST_POSTGRES", raising=False)
    found = store.measure(quick=True)
    assert len(found) == 2 * len(store.WRITERS)
    skipped = {one.writer: one.skipped for one in found if one.skipped}
    assert skipped["ours, PostgreSQL"] == "NEURORAMA_TEST_POSTGRES names no server"
    assert skipped["MLflow, file store"] == "mlflow is not installed"
    if len(skipped) > 2:
        assert skipped["TensorBoard, flushed"] == "tensorboard is not installed"
    for one in found:
        assert (one.rate > 0) == (not one.skipped)
        assert (one.newest > 0) == (one.at_once and not one.skipped)
    assert found[0].ratio == 1
    with_arrays = {one.writer: one.size for one in found if "graph" in one.workload}
    assert with_arrays["ours, SQLite"] > 2 * found[0].size


def test_a_writer_in_postgresql(postgres, monkeypatch):
    monkeypatch.setattr(store, "WRITERS", store.WRITERS[:2])
    ours, theirs = store.measure(quick=True)[2:]
    assert theirs.writer.startswith("ours, PostgreSQL (fsync o")
    assert theirs.ratio == pytest.approx(ours.rate / theirs.rate)


def test_a_writer_that_loses_a_frame_is_an_error(monkeypatch):
    lossy = dataclasses.replace(store.WRITERS[0], open=lambda folder: losing(store._sqlite(folder)))

    @contextlib.contextmanager
    def losing(opened):
        with opened as log:
            yield dataclasses.replace(log, write=lambda frame: frame.step == 1 or log.write(frame))

    monkeypatch.setattr(store, "WRITERS", (lossy,))
    with pytest.raises(RuntimeError, match="did not give back what was written"):
        store.measure(quick=True)


def test_side_processes_are_measured_from_the_first_run_to_a_judgement(shelf, monkeypatch):
    monkeypatch.setattr(jobs, "KEY", "shelf/steady")
    monkeypatch.setattr(jobs, "KNOBS", {"steps": 2})
    monkeypatch.setattr(jobs, "_in_new_server", jobs.cold)
    found = jobs.measure(quick=True, keys=["shelf/steady"])
    assert found.warm > 0
    assert found.cold > 0
    assert found.judged.keys() == {1, 2}
    assert found.gain == found.judged[1] / found.judged[2]
    with pytest.raises(RuntimeError, match="shelf/raises cannot be judged: ZeroDivisionError"):
        jobs.judged(["shelf/raises"], 2, 2)
