"""Tells Prometheus which pods there are, because the Prometheus of Debian is built without discovery by Kubernetes.

Answers over HTTP (``http_sd_configs``) with the addresses and the ``__meta_kubernetes_pod_`` labels that ``kubernetes_sd_configs`` with
``role: pod`` has, so relabelling is the same. Started by its file, so it imports nothing of the test bed.
"""

from __future__ import annotations

import argparse
import json
import re
import ssl
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def targets(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One group for each pod that has an address."""
    return [_target(pod) for pod in pods if pod.get("status", {}).get("podIP")]


def _target(pod: dict[str, Any]) -> dict[str, Any]:
    metadata, status = pod["metadata"], pod["status"]
    prefix = "__meta_kubernetes_"
    labels = {
        f"{prefix}namespace": metadata["namespace"],
        f"{prefix}pod_name": metadata["name"],
        f"{prefix}pod_ip": status["podIP"],
        f"{prefix}pod_phase": status.get("phase", ""),
    }
    for kind in ("annotation", "label"):
        for name, value in (metadata.get(f"{kind}s") or {}).items():
            labels[f"{prefix}pod_{kind}_{re.sub('[^a-zA-Z0-9_]', '_', name)}"] = value
    return {"targets": [status["podIP"]], "labels": labels}


def _serve(api: str, context: ssl.SSLContext, address: str, port: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """The pods as they are now; 503 while the API server does not answer, and Prometheus keeps those it knows."""
            try:
                with opener.open(f"{api}/api/v1/pods", timeout=5) as answer:
                    body, code = json.dumps(targets(json.load(answer)["items"])).encode(), 200
            except OSError as error:
                body, code = str(error).encode(), 503
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None:
            """Once a second would be all there is in the log."""

    ThreadingHTTPServer((address, port), Handler).serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", required=True, help="URL of the API server")
    for name in ("ca", "cert", "key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    context = ssl.create_default_context(cafile=options.ca)
    context.load_cert_chain(options.cert, options.key)
    _serve(options.api, context, options.address, options.port)


if __name__ == "__main__":
    main()
