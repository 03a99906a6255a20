"""A sweep's file in a folder of its own."""

from pathlib import Path

import pytest


@pytest.fixture
def written(tmp_path):
    """Write a sweep's file: ``written("seeds: [0, 1]")``."""

    def write(text: str, name: str = "some.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
