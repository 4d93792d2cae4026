"""The list of guards is about the code as it is: each of them stands where it is said to, once."""

from pathlib import Path

import pytest

from tests.simulation.guards import GUARDS, ROOT, without


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.promise)
def test_a_guard_is_where_it_is_said_to_be(guard):
    text = Path(ROOT, guard.path).read_text(encoding="utf-8")
    compile(without(guard, text), guard.path, "exec")
