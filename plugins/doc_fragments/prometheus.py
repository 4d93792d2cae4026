# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

from __future__ import annotations


class ModuleDocFragment:
    """Gates from Prometheus."""

    DOCUMENTATION = r"""
requirements:
  - urllib3 >= 2.5, < 3
options:
  prometheus:
    description:
      - A Prometheus server, or what answers like one, whose answers are judged in O(metric_gates). Asked for a switch only; with
        O(direction=rollback) neither this option nor O(metric_gates) is looked at.
      - An empty dictionary takes everything from the environment. If not set, no Prometheus is needed.
    type: dict
    suboptions:
      url:
        description:
          - What stands before C(/api/v1). Required, without a user in it. A redirect is not followed.
          - If not set, the environment variable E(PROMETHEUS_URL) is used.
        type: str
      ca_cert:
        description:
          - File with the CA certificates to trust, instead of the system's list.
          - If not set, the environment variable E(PROMETHEUS_CA_CERT) is used.
        type: path
      validate_certs:
        description: Whether to check the server's certificate.
        type: bool
        default: true
      token:
        description:
          - Bearer token.
          - With an http URL there is a warning, and it is sent unencrypted.
          - If not set, the environment variable E(PROMETHEUS_TOKEN) is used.
        type: str
      user:
        description:
          - User for basic authentication, with O(prometheus.password).
          - If not set, the environment variable E(PROMETHEUS_USER) is used.
        type: str
      password:
        description:
          - If not set, the environment variable E(PROMETHEUS_PASSWORD) is used.
        type: str
      timeout:
        description:
          - Seconds for the whole of an answer, 60 at most. At the end of a bake no question begins when they are over.
        type: raw
        default: 10
      max_age:
        description: Seconds that the newest sample under a gate may be old, by the server's clock.
        type: raw
        default: 150
      matchers:
        description:
          - Matchers of labels, for every selector of the presets and wherever a query says C($matchers), for example
            C(cluster="prod").
        type: raw
      on_no_answer:
        description:
          - What a server that does not answer means at the end of a bake, C(no-go), or C(warn) for a warning and no verdict. Before a run
            it is always No-Go.
        type: str
        default: no-go
  metric_gates:
    description:
      - Gates from Prometheus. Each is the name of a preset, or a dictionary with the keys C(name), C(query), C(comparison) (one of
        C(<), C(<=), C(>), C(>=), C(==), C(!=)), C(threshold) and C(stage) (C(before) or C(bake)). C(preset) names the preset whose
        values a dictionary begins with.
      - C(on_empty) says what an answer without a series means, C(no-go) (the default) or C(go).
      - C(samples) is a query for how many records the number is made of, C(steps) for the commits. With fewer than C(min_samples) (100), or
        than 6 steps, there is a warning and no verdict.
      - C(rests_on) is a plain selector of what the query reads. Its newest sample must not be old, and C($window) has to hold 4 of its
        samples. A query that is one itself needs none. An empty C(samples), C(steps) or C(rests_on) takes away that of a preset.
      - In a query stand C($app), C($namespace), C($colour), C($group), C($workload), C($pods), C($topics), C($workload_kind), C($window),
        C($source_rate) and C($matchers); in front of the ones about a colour also C(source_) or C(target_).
      - By default C(consumer_error_ratio). All presets are in docs/gates.md of the collection.
    type: list
    elements: raw
"""
