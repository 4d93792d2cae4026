"""containerd, runc and the container network of the bed: own root, state and socket, never the machine's."""

from __future__ import annotations

import json
from pathlib import Path

from testbed import settings
from testbed.processes import run
from testbed.settings import Settings

ROOT = settings.STATE_DIR / "containerd"
STATE = settings.RUN_DIR / "containerd"
SOCKET = STATE / "containerd.sock"
CNI_DIRECTORY = settings.STATE_DIR / "cni"
CONFIG_FILE = settings.STATE_DIR / "config" / "containerd.toml"
CNI_PLUGINS = Path("/usr/lib/cni")
CNI_CACHE = Path("/var/lib/cni")
CAP_SYS_RESOURCE = 24


def containerd_config(pause_image: str, *, restrict_oom: bool) -> str:
    """Text of containerd's configuration.

    Args:
        pause_image: name of the image that holds a pod's namespaces open.
        restrict_oom: needed where this machine lacks CAP_SYS_RESOURCE and may not lower an OOM score.
    """
    return f'''version = 2
root = "{ROOT}"
state = "{STATE}"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", \
"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = "{SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  restrict_oom_score_adj = {str(restrict_oom).lower()}
  # A profile loaded into the kernel would outlive the bed.
  disable_apparmor = true
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = "{CNI_DIRECTORY}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{settings.RUN_DIR / "runc"}"
'''


def cni_config(chosen: Settings) -> str:
    """Text of the pod network's configuration: the bed's own bridge, addresses from a range of its own."""
    first, last = chosen.pod_range
    addresses = {
        "subnet": str(chosen.subnet),
        "rangeStart": first,
        "rangeEnd": last,
        "gateway": chosen.bridge_address,
    }
    routes = [
        {"dst": "0.0.0.0/0"},
        # Straight to the API server's namespace: the host need not forward packets.
        {"dst": f"{settings.KUBERNETES_SERVICE_ADDRESS}/32", "gw": chosen.control_address},
    ]
    ipam = {
        "type": "host-local",
        "dataDir": str(settings.STATE_DIR / "addresses"),
        "ranges": [[addresses]],
        "routes": routes,
    }
    bridge = {"type": "bridge", "bridge": settings.BRIDGE, "isGateway": False, "ipMasq": False, "ipam": ipam}
    network = {"cniVersion": "0.4.0", "name": settings.CNI_NETWORK, "plugins": [bridge]}
    return json.dumps(network, indent=2) + "\n"


def write_config(pause_image: str, chosen: Settings) -> None:
    """Write the configuration of containerd and of the pod network."""
    CNI_DIRECTORY.mkdir(parents=True, exist_ok=True)
    (CNI_DIRECTORY / "10-testbed.conflist").write_text(cni_config(chosen))
    CONFIG_FILE.write_text(containerd_config(pause_image, restrict_oom=not _has_capability(CAP_SYS_RESOURCE)))


def command() -> list[str]:
    """Command of the container runtime."""
    return ["containerd", "--config", str(CONFIG_FILE)]


def ctr(*arguments: str | Path, timeout: float = 60) -> str:
    """Call containerd's own client in the name space that Kubernetes uses."""
    return run(["ctr", "--address", SOCKET, "--namespace", "k8s.io", *arguments], timeout=timeout)


def has_image(name: str) -> bool:
    """Whether the bed's containerd knows an image."""
    return name in ctr("images", "list", "--quiet").split()


def shim_sockets() -> list[Path]:
    """Sockets of the processes that hold pods; containerd puts them outside of its own state directory."""
    found = []
    for file in STATE.glob("io.containerd.runtime.v2.task/*/*/address"):
        found.append(Path(file.read_text().strip().removeprefix("unix://")))
    return found


def remove_traces() -> None:
    """Remove what the container network library keeps outside of the bed's own directories."""
    results = CNI_CACHE / "results"
    for path in results.glob(f"{settings.CNI_NETWORK}-*-eth0"):
        container = path.name.removeprefix(f"{settings.CNI_NETWORK}-").removesuffix("-eth0")
        (results / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
        path.unlink()


def _has_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> number & 1)
