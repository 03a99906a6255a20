"""What the source itself must hold: declared names, no belief in code, cited priors, layers, portability."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from importlinter.cli import lint_imports

import sim
from sim import forecast, history, simulate
from sim.axes import INPUTS, OUTPUTS
from sim.book.load import priors_folder, shipped
from sim.book.schema import Citation, Judgement
from sim.book.shelf import Shelf
from sim.book.sources import HISTORY, WEAK
from sim.model import constants
from sim.model.state import Flows

ROOT = Path(__file__).parents[1]
MODEL = sorted(Path(sim.__file__).parent.joinpath("model").glob("*.py"))
PLAIN_NUMBERS = {0, 1, 2}
"""Numbers the model may write, also negated and as an index; all others stand in ``constants.py`` by name."""
HEAVY = ("jax", "scipy", "matplotlib", "xarray", "pandas", "zarr")


def test_outputs__are_the_fields_of_flows():
    assert tuple(OUTPUTS) == Flows._fields


def test_outputs__stand_on_the_axis_that_flows_say(base_world):
    """The leading size of each flow, traced without running it, is that of the axis its declaration names."""
    for name, flow in traced(base_world, Recorder).items():
        (dim,) = OUTPUTS[name].dims
        assert flow.shape[:2] == (len(base_world.book.axes["time"]), len(base_world.book.axes[dim])), name


class Recorder(dict):
    """Beliefs that note which of them are read, those that differ from quarter to quarter only where they are cut."""

    def __init__(self, given, seen, cut=frozenset()):
        super().__init__(given)
        self.seen, self.cut = seen, cut

    def __getitem__(self, name):
        if name not in simulate.TIMED or name in self.cut:
            self.seen.add(name)
        return super().__getitem__(name)

    def __or__(self, cut):
        return Recorder({**self, **cut}, self.seen, self.cut | set(cut))


def traced(world, make, seen=None):
    """Shapes of the flows of one draw, from abstract beliefs held by ``make``."""
    shapes = {name: jax.ShapeDtypeStruct((*shape, 1), jnp.float32) for name, shape in world.shapes.items()}
    forcing = simulate.forcing_of(world, jnp.float32)
    seen = set() if seen is None else seen

    def flows(beliefs):
        return simulate.trajectory(world.structure, make(beliefs, seen), forcing)._asdict()

    return jax.eval_shape(flows, shapes)


def test_inputs__are_all_read_by_the_model(base_world):
    """Time-like inputs are cut to the quarter for all alike, so only reading them after the cut counts."""
    assert {"shock_timing", "capex_common_shock", "revenue_band"} <= set(simulate.TIMED)
    seen: set[str] = set()
    traced(base_world, Recorder, seen)
    assert seen == set(INPUTS)
    assert set(base_world.book.priors) == set(INPUTS)


@pytest.mark.parametrize("path", [path for path in MODEL if path.name != "constants.py"], ids=lambda path: path.name)
def test_model__holds_no_belief(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    numbers = [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex) and node.value is not True
        if node.value is not False and node.value not in PLAIN_NUMBERS
    ]
    assert not numbers, f"name these in constants.py, or make them priors: {numbers}"


def test_constants__are_each_explained_and_used():
    source = Path(constants.__file__).read_text(encoding="utf-8")
    body = ast.parse(source).body
    named = [node.target.id for node in body if isinstance(node, ast.AnnAssign)]
    assert sorted(named) == sorted(constants.__all__)
    others = [path for path in ROOT.joinpath("sim").rglob("*.py") if path.name != "constants.py"]
    users = "".join(path.read_text(encoding="utf-8") for path in others)
    assert [name for name in named if not re.search(rf"\b{name}\b", users)] == []


def test_priors__say_what_why_whence_and_when(base_world):
    for name, prior in base_world.book.priors.items():
        assert prior.source, name
        assert prior.reasoning.strip(), name
        assert prior.about.strip(), name
    for correlation in base_world.book.correlations:
        assert correlation.source
        assert correlation.reasoning


@pytest.mark.parametrize("name", Shelf(priors_folder()).names)
def test_books__shipped_load_with_their_world(name):
    """The loader refuses later facts (tests/book/test_vintages.py); the world needs the record known by the date."""
    world = forecast.load(name)
    assert world.book.name == name
    assert world.book.as_of == shipped()[name]


def citations(book):
    """Every citation of a book with the name of what stands on it."""
    everything = [*book.priors.items(), *((each.within or each.between, each) for each in book.correlations)]
    return [(name, each) for name, prior in everything for each in prior.source if isinstance(each, Citation)]


@pytest.fixture(scope="module")
def rows():
    return {
        f"{HISTORY}{path.stem}": {row.key: row for row in history.read(path)}
        for path in sorted((priors_folder() / "history").glob("*.csv"))
    }


def test_citations__of_history_give_the_figure(base_world, rows):
    cited = [(name, each) for name, each in citations(base_world.book) if each.cite.startswith(HISTORY)]
    assert len(cited) > 50
    for name, each in cited:
        first = re.search(r"-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?", each.says)
        assert first, (name, each)
        assert float(first[0].replace(",", "")) == pytest.approx(rows[each.cite][each.where].value, rel=1e-9), name


def test_sources__that_are_weak_never_stand_alone(base_world, rows):
    def strong(each):
        if isinstance(each, Judgement):
            return True
        if each.cite.startswith(HISTORY):
            row = rows[each.cite][each.where]
            return row.source_kind not in WEAK and "unlinked" not in row.source
        return base_world.book.references[each.cite].kind not in WEAK

    assert "low_confidence" in WEAK
    assert any(row.source_kind == "low_confidence" for file in rows.values() for row in file.values())
    for name, prior in base_world.book.priors.items():
        assert any(strong(each) for each in prior.source), name


def test_imports__keep_the_layers():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_help__imports_nothing_heavy():
    program = (
        "import sys, json\nfrom sim.cli import main\nsys.argv = ['chipcast', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "replicate" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == []


MACHINE = re.compile(
    r"(?<![\w./-])/(?:work|root|home|Users|mnt)/\w|pypi\.org|pythonhosted\.org|registry\.npmjs|://(?:localhost|127\.0\.0\.1)"
)
"""Folders of one machine, and hosts of package registries or mirrors of them."""


def test_files__name_no_machine_and_no_registry():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the files of the repository cannot be told from others")
    paths = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    found = []
    for path in paths:
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="ignore")
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE.finditer(text)]
    assert found == []
