"""The palette: contrast by WCAG 2.1, colour vision by the matrices of Machado et al. (2009), full deficiency."""

import itertools

import numpy as np
import pytest

from sim.figures import DARK, LIGHT

LINES = ("blue", "orange", "teal")
VISION = {
    "full": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
PALETTES = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, vision: str = "full") -> np.ndarray:
    seen = np.clip(np.array(VISION[vision]) @ linear(colour), 0, 1)
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ seen / TO_XYZ.sum(axis=1), 1e-9))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@PALETTES
def test_palette__what_is_read_stands_out_from_the_paper(palette):
    for name in ("ink", "muted", *LINES):
        assert contrast(palette[name], palette["paper"]) >= 4.5, name
    for name in LINES:
        assert contrast(palette["ink"], palette[f"pale_{name}"]) >= 4.5, name


@PALETTES
@pytest.mark.parametrize("vision", VISION)
def test_palette__lines_differ_in_any_colour_vision(palette, vision):
    for one, other in itertools.combinations(LINES, 2):
        assert np.linalg.norm(lab(palette[one], vision) - lab(palette[other], vision)) > 15, (one, other)


@PALETTES
def test_palette__a_pale_colour_differs_from_any_full_one_in_grey(palette):
    for pale, full in itertools.product(LINES, LINES):
        assert abs(lab(palette[f"pale_{pale}"])[0] - lab(palette[full])[0]) > 25, (pale, full)
