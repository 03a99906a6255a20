"""What the README shows runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

import sim

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    text = README.read_text(encoding="utf-8")
    found = re.search(r"<!-- tutorial: (\S+) -->\n```yaml\n(.*?)```", text, flags=re.DOTALL)
    path = tmp_path_factory.mktemp("tutorial") / found[1]
    path.write_text(found[2], encoding="utf-8")
    return path


def test_python_example__runs_in_about_twenty_lines(capsys):
    (example,) = blocks("python")
    assert len([line for line in example.splitlines() if line.strip() and not line.startswith("#")]) <= 20
    exec(compile(example, "README.md", "exec"), {})
    before, after = re.search(r"median: ([\d.]+) -> ([\d.]+) M H100e", capsys.readouterr().out).groups()
    assert float(after) < float(before)  # dearer chips, fewer of them


def test_tutorial__adds_a_buyer_and_a_chip(tutorial):
    run = sim.run(sim.load(tutorial), draws=2_048)
    year = run["prior_predictive/year"].to_dataset()
    assert float(year["buyer_h100e"].sel(buyer="apple", year="2027", quantile=0.05)) > 0
    assert float(year["chip_units"].sel(chip="b30a", year="2028", quantile=0.05)) > 0
    assert float(year["chip_units"].sel(chip="b30a", year="2025", quantile=0.99)) == 0


def test_tutorial__leaves_what_it_does_not_touch(tutorial):
    base, mine = sim.run(sim.load(), draws=2_048), sim.run(sim.load(tutorial), draws=2_048)
    reported = [tree["prior_predictive/year"]["capex"].sel(capex_buyer="reported") for tree in (base, mine)]
    known = [values.sel(year=["2022", "2023", "2024", "2025"]).values for values in reported]
    np.testing.assert_allclose(*known, rtol=1e-5)
    # a hundredth of NVIDIA's sales elsewhere leaves the others a little shorter of machines, which their budgets answer
    np.testing.assert_allclose(*(values.values for values in reported), rtol=0.01)


def test_shown_prior__is_the_shipped_one():
    shown = next(block for block in blocks("yaml") if block.startswith("capex_drift:"))
    shipped = (README.parent / "priors" / "base" / "capex.yaml").read_text(encoding="utf-8")
    assert all(line in shipped for line in shown.splitlines() if "..." not in line)


def test_links__exist():
    text = README.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("http")]
    assert targets
    assert [target for target in targets if not (README.parent / target).exists()] == []


def test_number_of_replicated_figures__is_true():
    from sim.replicate import replicate

    assert f"recomputes {len(replicate())} of their printed figures" in " ".join(README.read_text().split())
