"""Runs as every format there has been wrote them: ``formats/<format_version>`` holds one, of synthetic numbers."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sim.store import FORMAT_VERSION, gc, list_runs, open_run, publish, read_commit, verify

FORMATS = sorted((Path(__file__).parent / "formats").iterdir(), key=lambda path: int(path.name))


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def stored(request, tmp_path):
    shutil.copytree(request.param, tmp_path / "runs")
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if (path / "COMMIT.json").exists())
    return folder


def test_formats__there_is_a_run_of_each():
    assert [int(path.name) for path in FORMATS] == list(range(1, FORMAT_VERSION + 1))


def test_open_run__reads_every_format(stored, tree):
    found = open_run(stored)
    np.testing.assert_array_equal(found["prior_predictive/revenue"].values, tree["prior_predictive/revenue"].values)
    assert found["draws/revenue"][0, 0].values.tolist() == list(range(30))
    assert verify(stored)
    assert [row["problem"] for row in list_runs(stored.parent)] == [""]
    assert gc(stored.parent) == []


def test_publish__goes_on_with_every_format(stored, run, trees, part):
    publish(stored.parent, run, trees(draws=200), [part(30, 49)], draws=200)
    assert read_commit(stored).format_version == FORMAT_VERSION
    assert open_run(stored).attrs["draws"] == 200
    assert verify(stored)
