# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Control endpoints as data: for each state the requests that ask for it, and what in the answer shows it. No I/O.

A custom dialect is written like the rows of DIALECTS and goes through the same check, in dialect_reader.py. docs/dialects.md
says of each what it can't prove.
"""

from __future__ import annotations

import typing as t

BG_V1 = "bg/v1"
CUSTOM = "custom"
STATES = ("stopped", "paused", "running")
PASSING = frozenset({408, 425, 429})
"""Refusals that may pass. 5xx always may."""

DIALECTS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "pause_resume": {
        "status": {"path": "/status"},
        "evidence": "{paused: paused, lag: lag, assigned_partitions: assignedPartitions}",
        "idle": "paused == `false` && assignedPartitions == `[]`",
        "states": {
            "paused": {"when": "paused == `true`", "requests": [{"path": "/pause"}]},
            "running": {"when": "paused == `false`", "requests": [{"path": "/resume"}]},
        },
        "weakness": "says nothing of records in work and of commits, and some implementations say paused as soon as one of "
        "several listener containers is",
    },
    "spring_cloud_stream": {
        "base_path": "/actuator/bindings",
        "targets": "bindings",
        # All bindings: asked for one of several destinations, versions before 4.0.2 show the first only.
        "status": {"path": ""},
        # Spring Cloud Stream 2 has the name alone.
        "rows": ("bindingName", "name"),
        "evidence": "[].{binding: bindingName || name, group: group, state: state}",
        "states": {
            "paused": {
                "when": "[].state | (length(@) > `0` && length([?@ != 'paused']) == `0`)",
                "requests": [{"path": "/{target}", "body": {"state": "PAUSED"}}],
            },
            # A binding that was paused goes on saying so after it was stopped; once stopped, RESUMED only clears that.
            "stopped": {
                "when": "[].state | (length(@) > `0` && length([?@ != 'stopped']) == `0`)",
                "requests": [
                    {"path": "/{target}", "body": {"state": "STOPPED"}},
                    {"path": "/{target}", "body": {"state": "RESUMED"}},
                ],
            },
            "running": {
                "when": "[].state | (length(@) > `0` && length([?@ != 'running']) == `0`)",
                "requests": [
                    {"path": "/{target}", "body": {"state": "RESUMED"}},
                    {"path": "/{target}", "body": {"state": "STARTED"}},
                ],
            },
        },
        "hint": "Spring Cloud Stream before 3.2.10 and 4.0.2 passes a command on to one destination only: upgrade it, or give each "
        "destination a binding of its own",
        "weakness": "shows what was asked of the binding: records that were polled before are still being processed and "
        "committed",
    },
    "kafka_connect": {
        "port": 8083,
        "base_path": "/",
        "targets": "connectors",
        # Any worker passes a command on to all; each is asked what it knows.
        "commands_to": "one",
        "retry_on": [409],
        "status": {"path": "/connectors/{target}/status"},
        "evidence": "{connector: connector.state, tasks: tasks[].{id: id, state: state, worker: worker_id}}",
        "states": {
            "paused": {
                "when": "connector.state == 'PAUSED' && length(tasks[?state != 'PAUSED']) == `0`",
                "requests": [{"method": "PUT", "path": "/connectors/{target}/pause"}],
            },
            "stopped": {
                "when": "connector.state == 'STOPPED' && length(tasks) == `0`",
                "requests": [{"method": "PUT", "path": "/connectors/{target}/stop"}],
            },
            "running": {
                "when": "connector.state == 'RUNNING' && length(tasks) > `0` && length(tasks[?state != 'RUNNING']) == `0`",
                "requests": [{"method": "PUT", "path": "/connectors/{target}/resume"}],
            },
        },
        "weakness": "shows the state of connector and tasks as the workers know it, not that what was delivered is flushed "
        "and committed",
    },
    "shawarma": {
        "port": 80,
        "base_path": "/applicationstate",
        "states": {
            "paused": {"requests": [{"path": "", "body": {"status": "inactive"}}]},
            "running": {"requests": [{"path": "", "body": {"status": "active"}}]},
        },
        "weakness": "cannot be asked for its state: that the pod took the command is all that is known, and a sidecar "
        "overrules it at the next change of its Service",
    },
}
"""The dialects that are known by name, beside bg/v1."""
