"""A pytest plugin for scripts/pytest_ansible.sh: let modules run as they do on a target.

pytest-ansible imports Ansible's controller code. A module that runs in such a process hands its warnings to the controller's
display instead of returning them.
"""

from __future__ import annotations

import pytest
from ansible.module_utils import _internal


@pytest.fixture(autouse=True)
def _module_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_internal, "is_controller", False)
