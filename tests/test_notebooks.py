"""The notebooks of docs/notebooks run from their first cell to their last, and nothing in them warns."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 240
"""After which a cell is given up."""


def read(path):
    return nbformat.read(path, as_version=4)


def ran(notebook, folder):
    """The notebook with its outputs, run in an empty folder by this Python."""
    resources = {"metadata": {"path": str(folder)}}
    return nbclient.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources).execute()


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["first_forecast", "your_own_scenario"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook__is_kept_without_outputs_and_without_a_trace_of_a_machine(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert outputs(notebook) == []
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert not re.search(r"/(home|root|tmp|work|Users)/", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook__names_files_that_exist(path):
    found = re.findall(r"\]\(([^)#]+)\)", "\n".join(cell.source for cell in read(path).cells))
    assert found
    assert [link for link in found if not (FOLDER / link).exists()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook__runs_without_an_error_or_a_warning(path, tmp_path):
    made = outputs(ran(read(path), tmp_path))  # a cell that fails raises
    assert [output.text for output in made if output.output_type == "stream" and output.name == "stderr"] == []
    pictures = [output for output in made if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
    assert (tmp_path / "runs").is_dir()
