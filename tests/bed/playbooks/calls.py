# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes down which calls somebody makes to the API server: a plain HTTP server in front of it that passes everything on."""

from __future__ import annotations

import base64
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import urllib3
import yaml

from tests.unit.waiting import joined

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)/namespaces/[^/]+/(?P<resource>[^/]+)"
    r"(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?"
)
Right = tuple[str, str, str, str]
"""API group, resource, name (empty: any) and verb, as a rule of a Role grants them."""


def right_of(method: str, url: str) -> Right | None:
    """The right that a call needs; None where it needs none (the reviews of one's own rights, and discovery)."""
    found = PATH.fullmatch(urlsplit(url).path)
    if not found:
        # Under pods/proxy comes the path inside of the pod.
        found = PATH.match(urlsplit(url).path)
        if not found or found["sub"] != "proxy":
            return None
    verb = "list" if method == "GET" and not found["name"] else VERBS[method]
    resource = found["resource"] + (f"/{found['sub']}" if found["sub"] else "")
    return found["group"] or "", resource, found["name"] or "", verb


def rights_of(role: dict[str, Any]) -> set[Right]:
    """Every single right that a Role grants."""
    return {
        (group, resource, name, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def granting(right: Right, granted: set[Right]) -> set[Right]:
    """The grants that allow a call: with its name, or for any name."""
    group, resource, _name, verb = right
    return {right, (group, resource, "", verb)} & granted


class Recorder:
    """A context manager. ``kubeconfig`` goes through it; ``calls`` are the rights that were needed so far."""

    def __init__(self, kubeconfig: Path) -> None:
        self._content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        self.kubeconfig = kubeconfig.with_suffix(".recorded")
        self.calls: set[Right] = set()

    def __enter__(self) -> Recorder:
        [entry] = self._content["clusters"]
        authority = self.kubeconfig.with_suffix(".ca")
        authority.write_bytes(base64.b64decode(entry["cluster"].pop("certificate-authority-data")))

        class Handler(_Handler):
            server_url = entry["cluster"]["server"]
            pool = urllib3.PoolManager(maxsize=20, ca_certs=str(authority), retries=False)
            calls = self.calls

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        entry["cluster"]["server"] = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(self._content), encoding="utf-8")
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        joined(self._thread)

    @property
    def env(self) -> dict[str, str]:
        """For a playbook run."""
        return {"KUBECONFIG": str(self.kubeconfig), "K8S_AUTH_KUBECONFIG": str(self.kubeconfig)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # a run asks for twenty rights at the same moment


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_url: ClassVar[str]
    pool: ClassVar[urllib3.PoolManager]
    calls: ClassVar[set[Right]]

    def _pass_on(self) -> None:
        if right := right_of(self.command, self.path):
            self.calls.add(right)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        answer = self.pool.request(self.command, self.server_url + self.path, body=body, headers=headers)
        self.send_response(answer.status)
        for name in ("Content-Type", "Warning"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815  names of the standard library

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""
