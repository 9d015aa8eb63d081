"""The table of mutations keeps up with the sources that it changes."""

from pathlib import Path

import pytest
from mutations import MUTATIONS

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "src_c").exists(), reason="not in a source tree")
def test_every_mutation_has_its_one_place():
    stale = [(path, old) for path, old, _ in MUTATIONS if (ROOT / path).read_text().count(old) != 1]
    assert len(MUTATIONS) > 50
    assert not stale
