import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from sim.figures import LIGHT, Series, fan, reading, render, settled
from sim.figures.themed import plain

HOSTILE = [
    "<script>alert(1)</script>-->]]>",
    "$\\frac{x}$",
    "收入与供应 日本 🚀",
    "\u202eشركة عربية\u202c",
    "a\nb\x07\x00",
]
HOSTILE += ["_x" * 150, '" onload="alert(1)', "%s {0} {name}", "&amp;&#60;", "\ud800", "url(#x)"]
SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("fan", "headline", "tornado", "waterfall", "stacked", "scenarios", "intervals")
PLAIN = {SVG + name for name in ("svg", "title", "desc", "clipPath", "rect", "path", "text")}
NUMBERS = re.compile(r"-?[\d.]+")


def elements(svg: bytes) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter())


@pytest.fixture(scope="module")
def figures(draw):
    return draw(bare=True)


@pytest.mark.parametrize("kind", KINDS)
def test_themed__is_one_named_picture_for_a_page(figures, kind):
    svg = render(figures[kind], "svg", themed=True, prefix="a-")
    root, title, desc = elements(svg)[:3]
    assert svg.startswith(b"<svg ")
    assert len(svg) < 60_000
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", f"{title.get('id')} {desc.get('id')}")
    assert (title.tag, title.text, desc.tag, desc.text) == (
        f"{SVG}title",
        "NVIDIA",
        f"{SVG}desc",
        reading(figures[kind]),
    )
    wide, high = figures[kind].get_size_inches() * 72
    assert [float(each) for each in root.get("viewBox").split()] == pytest.approx([0, 0, wide, high], abs=0.01)
    assert {element.tag for element in elements(svg)} <= PLAIN


@pytest.mark.parametrize("kind", KINDS)
def test_themed__colours_are_variables_of_the_palette_and_nothing_needs_a_style(figures, kind):
    svg = render(figures[kind], "svg", themed=True)
    used = set()
    for element in elements(svg):
        assert not {"style", "class"} & element.attrib.keys()
        for name in ("fill", "stroke"):
            if (value := element.get(name, "none")) != "none":
                colour, default = re.fullmatch(r"var\(--(\w+), (#[0-9a-f]{6})\)", value).groups()
                assert LIGHT[colour] == default
                used.add(colour)
    assert "ink" in used or "muted" in used
    light = settled(svg)
    assert b"var(" not in light
    assert LIGHT["muted"].encode() in light
    assert len(elements(light)) == len(elements(svg))


def test_themed__same_figure_same_bytes_and_the_figure_stays_as_it_was(draw):
    figure = draw(kinds=["scenarios"])["scenarios"]
    before = render(figure, "png")
    first = render(figure, "svg", themed=True)
    assert (
        first
        == render(figure, "svg", themed=True)
        == render(draw(kinds=["scenarios"])["scenarios"], "svg", themed=True)
    )
    assert render(figure, "png") == before


def test_themed__ids_of_two_pictures_never_meet(figures):
    def ids(prefix: str) -> list[str]:
        svg = b"".join(
            render(figure, "svg", themed=True, prefix=f"{prefix}{i}-") for i, figure in enumerate(figures.values())
        )
        found = re.findall(rb'\bid="([^"]*)"', svg)
        assert {each.decode() for each in re.findall(rb"url\(#([^)]*)\)", svg)} <= {each.decode() for each in found}
        return [each.decode() for each in found]

    both = ids("a") + ids("b")
    assert len(both) == len(set(both))


def test_themed__draws_lines_where_matplotlib_does(quantiles_of_years):
    figure = fan(None, quantiles_of_years(1), title="t", unit="u", as_of="2026-02-28", sources="s")
    axes = figure.axes[0]
    (line,) = (line for line in axes.lines if line.get_gid() == "median")
    figure.dpi = 72
    wanted = axes.transData.transform(line.get_xydata())
    wanted[:, 1] = 72 * figure.get_figheight() - wanted[:, 1]
    svg = render(figure, "svg", themed=True)
    (path,) = (each for each in elements(svg) if each.get("stroke-width") == "1.8")
    np.testing.assert_allclose(
        np.array([float(each) for each in NUMBERS.findall(path.get("d"))]).reshape(-1, 2), wanted, atol=0.006
    )
    assert (path.get("stroke"), path.get("fill"), path.get("stroke-linecap")) == (
        f"var(--blue, {LIGHT['blue']})",
        "none",
        "round",
    )


def test_themed__texts_are_text_held_at_the_side_they_were_aligned_to(figures, shown):
    found = [
        element for element in elements(render(figures["tornado"], "svg", themed=True)) if element.tag == f"{SVG}text"
    ]
    assert len(found) > 10
    assert {element.text for element in found} <= set(shown(figures["tornado"]))
    at = {element.text: element for element in found}
    assert (at["input at P10"].get("text-anchor"), at["input at P90"].get("text-anchor")) == ("end", None)
    assert float(at["input at P10"].get("x")) < float(at["input at P90"].get("x"))
    assert at["input at P10"].get("font-weight") == "bold"


def test_themed__cuts_what_reaches_beyond_the_axes(quantiles_of_years):
    figure = fan(None, quantiles_of_years(1), title="t", unit="u", as_of="2026-02-28", sources="s")
    figure.axes[0].set_ylim(0, 100)
    svg = render(figure, "svg", themed=True, prefix="p-")
    (rect,) = (element for element in elements(svg) if element.tag == f"{SVG}rect")
    box = figure.axes[0].get_position()
    wide, high = figure.get_size_inches() * 72
    place = [float(rect.get(name)) for name in ("x", "y", "width", "height")]
    assert place == pytest.approx([box.x0 * wide, (1 - box.y1) * high, box.width * wide, box.height * high], abs=0.01)
    assert svg.count(b'clip-path="url(#p-clip0)"') == 3  # two bands and the median


@pytest.mark.parametrize("i", range(len(HOSTILE)))
def test_themed__hostile_text_is_only_text(draw, i):
    text, kinds = HOSTILE[i], (KINDS[i % len(KINDS)], KINDS[(i + 3) % len(KINDS)])
    for kind, figure in draw(text, kinds, bare=True).items():
        svg = render(figure, "svg", themed=True, prefix="p-")
        assert {element.tag for element in elements(svg)} <= PLAIN, kind
        assert all(name.isascii() and not name.startswith("on") for element in elements(svg) for name in element.attrib)
        assert all(sign.isprintable() or sign == "\n" for sign in svg.decode()), kind
        start = re.split(r"[\s\x00-\x1f\ud800\u202e]", text)[0][:6]
        assert any(start in (element.text or "") for element in elements(svg)), kind


def test_render__png_of_signs_without_a_glyph_is_no_error(draw):
    for figure in draw("收入 \u202eعربية <b> $x$", ("tornado", "scenarios")).values():
        assert render(figure, "png").startswith(b"\x89PNG")


def test_plain__is_the_shortest_form():
    assert [plain(value) for value in (1.0, -0.001, 12.345, 0.5, 100.0, -3.1)] == [
        "1",
        "0",
        "12.35",
        "0.5",
        "100",
        "-3.1",
    ]


def test_themed__a_series_without_a_name_is_drawn(quantiles_of_years):
    figure = fan(None, Series("", None, quantiles_of_years(1)).quantiles, title="", unit="", as_of="", sources="")
    assert ET.fromstring(render(figure, "svg", themed=True)).find(f"{SVG}title") is not None
