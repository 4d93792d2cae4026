# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

from __future__ import annotations


class ModuleDocFragment:
    """Description of a blue/green application."""

    DOCUMENTATION = r"""
options:
  application:
    description:
      - The blue/green application. All its faults are listed in one message before anything is contacted.
    type: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the application, at most 63 lower case letters, digits and C(-). Required.
          - The state objects are named after it, for example the ConfigMap C(<name>-active-version).
        type: str
      namespace:
        description: Kubernetes namespace of the workloads and of the state objects. Required.
        type: str
      topics:
        description:
          - Topics the application consumes.
          - By default all topics for which the active colour's group has committed offsets.
        type: raw
      blue:
        description: The blue colour. Required.
        type: dict
        suboptions: &colour
          group:
            description: Consumer group id. Required, and different from that of the other colour.
            type: str
          workload:
            description: Name of the Deployment or StatefulSet. By default the name of the application, C(-) and the colour.
            type: str
      green:
        description: The green colour. Required.
        type: dict
        suboptions: *colour
      workload_kind:
        description: Kind of both workloads, V(Deployment) or V(StatefulSet).
        type: str
        default: Deployment
      replicas:
        description: Pods that a colour gets when it is prepared. By default as many as the active colour has.
        type: raw
      max_lag:
        description:
          - Largest total lag of the active colour, in records, with which a hand-over may begin. Partitions that are only one offset
            behind do not count, as that may be a transaction marker.
        type: raw
        default: 1000
      max_transaction_age:
        description:
          - Seconds since the last record of an open transaction on the topics, up to which a switch may begin.
          - The default is that of the brokers' C(transaction.max.timeout.ms). Consumers that read only committed records stop before
            an open transaction, so one that hangs stops both colours.
          - It is counted from the timestamp of the record. If producers set the time of an event as timestamp, add the age of the
            events.
        type: raw
        default: 900
      out_of_range:
        description:
          - What a switch does with a partition whose committed offset is no longer in the log, because retention passed it.
          - V(fail) stops it before anything is changed. V(earliest) continues at the start of the log; how many records were lost is
            counted and reported.
          - A rollback always continues, and reports the same. An offset before only a transaction marker is not a loss and stops
            nothing.
        type: str
        default: fail
      lock_ttl:
        description:
          - Seconds after which the lock of a run that died may be taken over, at least 5.
          - It must be longer than O(api_server_timeout), or a lock could expire while its renewal is still under way.
        type: raw
        default: 15
      endpoint:
        description: How the control endpoint of the pods is reached (contract C(bg/v1)). Not used in cold mode.
        type: dict
        suboptions:
          port:
            description: Port of the endpoint.
            type: raw
            default: 8080
          base_path:
            description: Path in front of every command.
            type: str
            default: /actuator/kafka
          transport:
            description:
              - V(api_proxy) goes through the API server's pod proxy and works from anywhere.
              - V(pod_ip) goes directly to the pod's address, if that is routed.
            type: str
            default: api_proxy
          token:
            description: Sent as C(token_header), if set.
            type: str
          scheme:
            description:
              - Whether the pods serve V(http) or V(https). With V(api_proxy) the API server does not check their certificates.
            type: str
            default: http
          token_secret:
            description: Secret in the application's namespace that holds the token. Requires the right to get this Secret.
            type: dict
            suboptions:
              name:
                description: Name of the Secret. Required.
                type: str
              key:
                description: Key in it. By default C(token).
                type: str
          token_header:
            description: Header that carries the token. The API server's proxy removes C(Authorization).
            type: str
            default: X-BG-Token
          validate_certs:
            description: Whether the certificates of the pods are checked with V(https) and V(pod_ip).
            type: bool
            default: true
          ca_file:
            description: File with the CA certificates of the pods, PEM, on the host that runs the module. By default the system's.
            type: path
          ca_secret:
            description: Secret in the application's namespace that holds the CA certificates, instead of C(ca_file).
            type: dict
            suboptions:
              name:
                description: Name of the Secret. Required.
                type: str
              key:
                description: Key in it. By default C(ca.crt).
                type: str
          server_name:
            description: Name in the certificates of the pods. By default the pod's address.
            type: str
      timeouts:
        description: How long the steps may take, in seconds.
        type: dict
        suboptions:
          start:
            description: Until the pods of a colour are Ready and have joined.
            type: raw
            default: 120
          pause:
            description: Until the source is drained.
            type: raw
            default: 20
          activate:
            description: Until every pod of the target processes.
            type: raw
            default: 30
          lock:
            description: How long to wait for another run to end.
            type: raw
            default: 60
          request:
            description: Until all pods have answered one command.
            type: raw
            default: 5
"""
