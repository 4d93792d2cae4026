"""A certificate authority for one life of the bed, and the certificates Kubernetes needs."""

from __future__ import annotations

from pathlib import Path

import trustme

from testbed import settings
from testbed.settings import Settings

DIRECTORY = settings.STATE_DIR / "certificates"
CA_FILE = DIRECTORY / "ca.crt"

# Who may call the API server: file name -> (common name, organization), which are Kubernetes' user and group.
CLIENTS = {
    "admin": ("testbed-admin", "system:masters"),
    "apiserver-kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", "testbed"),
    "scheduler": ("system:kube-scheduler", "testbed"),
    "kubelet-client": (f"system:node:{settings.NODE_NAME}", "system:nodes"),
}


def create(chosen: Settings) -> None:
    """Write the authority, all client and server certificates and the key that signs service account tokens."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    DIRECTORY.chmod(0o700)
    authority = trustme.CA(organization_name="test bed")
    authority.cert_pem.write_to_path(str(CA_FILE))
    for name, (common_name, organization) in CLIENTS.items():
        identity = f"{name}.testbed.invalid"
        _write(name, authority.issue_cert(identity, common_name=common_name, organization_name=organization))
    api_names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    api_addresses = [chosen.control_address, settings.KUBERNETES_SERVICE_ADDRESS, "127.0.0.1"]
    _write("apiserver", authority.issue_cert(*api_names, *api_addresses))
    _write("control-plane", authority.issue_cert(chosen.control_address))
    # kubectl logs and exec go to the kubelet by this address, so its certificate must name it.
    _write("kubelet", authority.issue_cert(settings.NODE_NAME, chosen.bridge_address))
    _write("service-accounts", authority.issue_cert("service-accounts.testbed.invalid"))


def certificate(name: str) -> Path:
    """Certificate file of ``name``."""
    return DIRECTORY / f"{name}.crt"


def private_key(name: str) -> Path:
    """Private key file of ``name``."""
    return DIRECTORY / f"{name}.key"


def _write(name: str, issued: trustme.LeafCert) -> None:
    issued.cert_chain_pems[0].write_to_path(str(certificate(name)))
    issued.private_key_pem.write_to_path(str(private_key(name)))
    private_key(name).chmod(0o600)
