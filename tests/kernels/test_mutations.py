"""The table of mutations keeps up with the sources; the tool tells the killed from the living."""

import mutation
import pytest
from mutations import ACTIVATIONS, MUTATIONS

pytestmark = pytest.mark.skipif(
    not (mutation.ROOT / "src_c").exists(), reason="not in a source tree"
)


def test_every_mutation_has_its_one_place():
    assert len(MUTATIONS) > 50
    assert not mutation.stale(MUTATIONS)


def test_a_place_is_found_however_it_is_laid_out():
    source = "a = f(x,\n      y) + z\n"
    (place,) = mutation.places(source, "f(x, y)+z")
    assert source[place.start() : place.end()] == "f(x,\n      y) + z"
    assert not mutation.places(source, "f(x, z)")
    assert len(mutation.places("a + a", "a")) == 2


@pytest.mark.slow
def test_a_wrong_sign_is_killed_and_another_comment_survives():
    wrong = next(m for m in MUTATIONS if m[0] == ACTIVATIONS)
    first_line = (mutation.ROOT / ACTIVATIONS).read_text().splitlines()[0]
    harmless = (ACTIVATIONS, first_line, first_line.replace("/*", "/* ", 1))
    assert harmless[1] != harmless[2]
    found = dict(mutation.verdicts([wrong, harmless], ["tests/kernels/test_kernels.py"]))
    assert found[wrong].startswith("killed by FAILED tests/kernels/test_kernels.py")
    assert found[harmless] == "SURVIVED"
