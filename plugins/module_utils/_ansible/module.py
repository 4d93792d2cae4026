# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""AnsibleModule as the modules use it: options that can't be read end with the option's name, and never show a secret."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_dict

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.hiding import hide

Spec = t.Mapping[str, t.Mapping[str, t.Any]]
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What ansible-core raises for a number where a dictionary is wanted, and for an infinite one where a whole one is."""


class Module(AnsibleModule):
    """While it reads the options, ansible-core knows the secrets only once all options with suboptions could be read."""

    def __init__(self, argument_spec: Spec, **rules: t.Any) -> None:
        self._reads = True
        try:
            super().__init__(argument_spec, **rules)
        except UNREADABLE as error:
            self.fail_json(msg=self._of_an_option(str(error)))
        self._reads = False

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """End with a failure; one of an option says which it is."""
        if self._reads:
            hide(self, _secrets(self.argument_spec, self.params))
            # Some names are words of a sentence, too: "unable to convert" is not about the option to.
            if not any(re.search(rf"(?<![a-z] )\b{name}\b|\bof {name}\b", msg) for name in self.argument_spec):
                msg = self._of_an_option(msg)
            result["exception"] = None  # the way through ansible-core tells nobody anything
        super().fail_json(msg=msg, **result)

    def _of_an_option(self, msg: str) -> str:
        """A message that says which option it is about."""
        return "; ".join(_unreadable(self.argument_spec, self.params)) or f"{_nested(self.argument_spec)}: {msg}"


def _unreadable(spec: Spec, params: t.Mapping[str, t.Any]) -> list[str]:
    """Options that can't be read even alone, each with why."""
    found = []
    for name, option in spec.items():
        if params.get(name) is None:
            continue
        try:
            alone = {**option, "required": False}
            faults = ArgumentSpecValidator({name: alone}).validate({name: params[name]}).error_messages
        except UNREADABLE as error:
            faults = [str(error)]
        if faults and isinstance(params[name], str) and option.get("type") == "dict" and "is of type" not in faults[0]:
            # In ansible-core's own words, by which ansible-lint knows a template that is not rendered yet.
            faults = [f"argument '{name}' is of type str and could not be converted to dict: {faults[0]}"]
        found += [f"{name}: {fault}" for fault in faults[:1]]
    return found


def _nested(spec: Spec) -> str:
    """Options with suboptions: of a list of them ansible-core forgets what was given."""
    return " or ".join(name for name, option in spec.items() if option.get("options")) or "an option"


def _secrets(spec: Spec, params: t.Any) -> set[str]:
    """Values of options that hide them, as far as they can be read."""
    found: set[str] = set()
    if isinstance(params, str):
        try:
            params = check_type_dict(params)
        except UNREADABLE:
            return {params} if _hides(spec) and set("=:") & set(params) else set()
    for name, option in spec.items() if isinstance(params, dict) else ():
        given = params.get(name)
        if option.get("no_log") and given:
            found |= {str(given), *_leaves(given)}
        for inner in given if isinstance(given, list) else [given]:
            found |= _secrets(option.get("options") or {}, inner)
    return found


def _hides(spec: Spec) -> bool:
    """Whether an option or suboption hides its value."""
    return any(option.get("no_log") or _hides(option.get("options") or {}) for option in spec.values())


def _leaves(value: t.Any) -> set[str]:
    """What a value is made of, as ansible-core hides it."""
    if isinstance(value, (dict, list)):
        return set().union(*map(_leaves, value.values() if isinstance(value, dict) else value))
    return {str(value)} if value and not isinstance(value, bool) else set()
