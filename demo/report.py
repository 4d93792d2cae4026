# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in text at the end of the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def as_text(result: dict[str, Any], path: Path) -> str:
    """What happened, for a person."""
    audit, seen = result["audit"], result["witness"]
    lines = [
        "",
        f"A consumer application was moved between its blue and its green version {len(result['runs'])} times while",
        f"{result['produced']} records arrived ({result['rate']:.0f} a second, {result['partitions']} partitions).",
        "",
        f"{'run':<14}{'records':>9}{'lost':>6}{'twice':>7}{'gap p50':>10}{'p99':>9}{'max':>9}{'playbook':>11}",
    ]
    for run in result["runs"]:
        gap = run["gap_ms"]
        cells = [f"{gap[key]:.0f} ms" for key in ("p50", "p99", "max")] if gap else ["?", "?", "?"]
        lines.append(
            f"{run['name']:<14}{run['records']:>9}{run['lost']:>6}{run['duplicated']:>7}"
            f"{cells[0]:>10}{cells[1]:>9}{cells[2]:>9}{run['playbook_seconds']:>9.1f} s"
        )
    lines += [
        "",
        "The gap is the time from the last record the old version processed to the first of the new one, per partition.",
        (
            f"Audit of every record: {audit['records']} processed, {audit['lost']} lost, "
            f"{audit['duplicated']} processed twice, {audit['out_of_order']} out of order."
        ),
    ]
    if seen["agrees"] is not None:
        verdict = "agrees" if seen["agrees"] else "DOES NOT AGREE"
        lines.append(
            f"Kafka's own {seen['tool']} {verdict}: group {seen['group']} stands at the audited end "
            f"of all {len(seen['partitions'])} partitions."
        )
    lines += ["", f"Report: {path}", f"Output of each playbook and audit: {path.parent / 'demo'}"]
    return "\n".join(lines)
