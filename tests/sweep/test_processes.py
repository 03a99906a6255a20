"""Worker processes: tasks shared out, deaths survived, and what a worker must be like. Workers here only pretend."""

import json
import sys
from collections import Counter, deque
from pathlib import Path

import pytest

from sim.errors import ChipcastError, RefusedError
from sim.sweep import handshake
from sim.sweep.processes import Processes, environment
from sim.sweep.runners import ATTEMPTS
from sim.sweep.task import Task, read, text

PRETENDER = Path(__file__).with_name("pretender.py")


def task(label):
    return Task(label, ("base",), None, {}, 0, 512, "mc", (), False, "cpu", "runs", "digest")


@pytest.fixture
def begun(monkeypatch, tmp_path):
    """The file in which pretenders note each task they begin; they are alike to this process."""
    monkeypatch.setenv("PRETENDED", json.dumps(handshake.hello("cpu")))
    monkeypatch.setenv("BEGUN", str(tmp_path / "begun"))
    (tmp_path / "begun").touch()
    return tmp_path / "begun"


def worked(labels, workers=2, tell=lambda *_: None):
    with Processes(workers, "cpu", command=(sys.executable, str(PRETENDER))) as runner:
        runner.hello()
        return list(runner.work(deque(map(task, labels)), tell))


def attempts(begun):
    return Counter(line.rpartition(" ")[0] for line in begun.read_text(encoding="utf-8").splitlines())


def test_work__does_each_task_once_on_some_worker(begun):
    labels = [f"t{i}" for i in range(12)]
    done = worked(labels)
    assert sorted(each.task.label for each in done) == sorted(labels)
    assert all(each.outcome.run == each.task.label for each in done)
    assert attempts(begun) == Counter(labels)
    assert len({each.outcome.process for each in done}) == 2


def test_work__tells_of_each_task_from_its_beginning_on(begun):
    told = []
    worked(["a", "b"], tell=lambda task, done: told.append((task.label, done)))
    assert sorted(told) == [("a", 0), ("a", 7), ("b", 0), ("b", 7)]


def test_work__a_task_whose_worker_died_is_done_elsewhere(begun):
    done = worked(["a", "x dies 2", "b", "c"])
    assert sorted(each.outcome.run for each in done) == ["a", "b", "c", "x"]
    assert attempts(begun)["x dies 2"] == 3


def test_work__a_task_that_kills_every_worker_fails_alone(begun):
    done = worked(["a", "x dies 99", "b", "c"])
    failed = {each.task.label: each.outcome for each in done if each.outcome.code}
    assert list(failed) == ["x dies 99"]
    assert failed["x dies 99"].code == "sweep-worker-died"
    assert "SIGKILL" in failed["x dies 99"].message
    assert attempts(begun)["x dies 99"] == ATTEMPTS
    assert sorted(each.outcome.run for each in done if not each.outcome.code) == ["a", "b", "c"]


def test_work__the_queue_may_grow_while_it_is_worked_on(begun):
    tasks = deque([task("a")])
    with Processes(1, "cpu", command=(sys.executable, str(PRETENDER))) as runner:
        runner.hello()
        seen = []
        for done in runner.work(tasks, lambda *_: None):
            seen.append(done.task.label)
            if done.task.label == "a":
                tasks.append(task("b"))
    assert seen == ["a", "b"]


@pytest.mark.parametrize("key", ["stream_version", "bits", "jax", "code", "python"])
def test_hello__a_worker_unlike_this_process_is_refused_by_what_differs(begun, monkeypatch, key):
    monkeypatch.setenv("PRETENDED", json.dumps(handshake.hello("cpu") | {key: "other"}))
    with pytest.raises(RefusedError, match=f"{key} other") as caught:
        worked(["a"])
    assert (caught.value.code, caught.value.exit_code) == ("sweep-handshake", 3)
    assert not attempts(begun)


def test_hello__workers_that_cannot_start_are_told_of_and_not_started_for_ever(monkeypatch):
    with (
        Processes(2, "cpu", command=(sys.executable, "-c", "raise SystemExit(7)")) as runner,
        pytest.raises(ChipcastError, match="exit code 7") as caught,
    ):
        runner.hello()
    assert caught.value.code == "sweep-worker-start"


def test_hello__a_worker_without_the_device_says_so():
    """The real worker, asked for an accelerator that this machine lacks or that tests are kept from."""
    with pytest.raises(ChipcastError) as caught, Processes(1, "tpu") as runner:
        runner.hello()
    assert (caught.value.code, caught.value.exit_code) == ("device-missing", 6)


def test_exit__leaves_no_worker_behind(begun):
    with Processes(2, "cpu", command=(sys.executable, str(PRETENDER))) as runner:
        runner.hello()
        started = [worker.process for worker in runner.started.values()]
    assert [process.returncode for process in started] == [-9, -9]


def test_block_of__workers_of_two_kinds_are_refused():
    ours = handshake.hello("cpu")
    assert handshake.block_of([ours, ours]) == ours["block"]
    with pytest.raises(RefusedError, match="on gpu"):
        handshake.block_of([ours, ours | {"kind": "gpu", "block": 65536}])


def test_task__goes_through_text_and_back():
    given = task("a")._replace(names=("base", "x"), values={"p": [1, 2], "q": "z"}, seed=2**200, thresholds=("a > 1",))
    assert read(text(given)) == given
    assert "\n" not in text(given)


def test_environment__shares_cores_and_gives_each_worker_one_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    given = [environment(number, 2, "gpu") for number in range(3)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in given] == ["4", "6", "4"]
    assert {each["JAX_NUM_CPU_DEVICES"] for each in given} == {"2"}
    assert environment(1, 2, "cpu")["CUDA_VISIBLE_DEVICES"] == "4,6"


def test_golden_bits__of_the_handshake_are_those_of_this_stream_version():
    """SHA-256 of 2 x 1,024 words, made here word by word with NumPy's integers alone."""
    import hashlib

    import numpy as np

    from sim import draws

    key_pairs = draws.keys(handshake.SAMPLE, handshake.SEED, 0)
    words = [threefry(pair, np.arange(handshake.NUMBERS, dtype=np.uint32), i) for i, pair in enumerate(key_pairs)]
    told = hashlib.sha256(np.array(words, dtype="<u4").tobytes()).hexdigest()
    assert handshake.hello("cpu")["bits"] == told


def threefry(key, low, element):
    """The first word of threefry2x32 with counter (low, element), from the published algorithm."""
    import numpy as np

    rotations = ((13, 15, 26, 6), (17, 29, 16, 24))
    keys = [np.uint32(key[0]), np.uint32(key[1])]
    keys.append(keys[0] ^ keys[1] ^ np.uint32(0x1BD11BDA))
    x, y = low + keys[0], np.full_like(low, element) + keys[1]
    for step in range(5):
        for turn in rotations[step % 2]:
            x = x + y
            y = ((y << np.uint32(turn)) | (y >> np.uint32(32 - turn))) ^ x
        x = x + keys[(step + 1) % 3]
        y = y + keys[(step + 2) % 3] + np.uint32(step + 1)
    return x
