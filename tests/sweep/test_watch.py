"""What is shown while a sweep runs: bars of the whole and of each running task on a terminal, lines otherwise."""

import sys

import pytest

from sim.sweep.task import Outcome, Task, failed
from sim.sweep.watch import Bars, Lines, Silent, watching

ALL = Task("a [b] label", ("base",), None, {}, 0, 2_000_000, "mc", (), False, "cpu", "runs", "digest")
RANGE = ALL._replace(first=1_048_576, last=2_097_152)


def test_watching__shows_bars_on_a_terminal_only(monkeypatch):
    for terminal, kind in ((True, Bars), (False, Lines)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal, raising=False)
        with watching() as watch:
            assert type(watch) is kind


def test_lines__count_variants_and_say_what_came_of_each(capsys):
    watch = Lines()
    watch.begins(3, 1)
    watch.runs(RANGE, 5)
    watch.ends(RANGE, Outcome(seconds=2))
    watch.ends(ALL, Outcome(run="abc", seconds=1.25))
    watch.ends(ALL, failed("odd", "it broke"))
    assert capsys.readouterr().err.splitlines() == [
        "chipcast: 3 variants, 1 finished before",
        "chipcast: 1/3 a [b] label: draws 1,048,576 to 2,097,152 counted, 2.0 s",
        "chipcast: 2/3 a [b] label: run abc, 1.2 s",
        "chipcast: 3/3 a [b] label: it broke [odd], 0.0 s",
    ]


@pytest.fixture
def bars():
    watch = Bars()
    yield watch
    watch.shown.stop()


def test_bars__have_one_for_the_whole_and_one_for_each_running_task(bars):
    def shown():
        return [(task.description, task.completed, task.total) for task in bars.shown.tasks]

    bars.begins(3, 1)
    bars.runs(ALL, 0)
    bars.runs(RANGE, 0)
    bars.runs(RANGE, 700)
    assert shown() == [("variants", 1, 3), (ALL.label, 0, 2_000_000), (RANGE.label, 700, 1_048_576)]
    bars.ends(RANGE, Outcome())
    assert shown() == [("variants", 1, 3), (ALL.label, 0, 2_000_000)]
    bars.ends(ALL, Outcome(run="abc"))
    assert shown() == [("variants", 2, 3)]


def test_silent__says_nothing(capsys):
    watch = Silent()
    watch.begins(1, 0)
    watch.runs(ALL, 1)
    watch.ends(ALL, Outcome())
    assert capsys.readouterr() == ("", "")
