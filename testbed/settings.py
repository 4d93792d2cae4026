"""Fixed names, versions and addresses of the test bed, and the few settings a user may change."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.3.1"
KUBERNETES_VERSION = "1.34.4"
BROKER_COUNT = 3
MAX_PODS = 200

NODE_NAME = "testbed-node"
BRIDGE = "sotb0"
CONTROL_NAMESPACE = "sotb-control"
SYSTEM_NAMESPACE = "testbed-system"
PROBE_POD = "probe"
PROBE_PORT = 8080
CGROUP = "streamops-testbed"
CNI_NETWORK = "streamops-testbed"

# One bed per machine: the bridge, the addresses and the memory are machine-wide, so is the record of who owns them.
STATE_DIR = Path("/var/lib/streamops-testbed")
RUN_DIR = Path("/run/streamops-testbed")
LOCK_FILE = Path("/run/lock/streamops-testbed.lock")

# Fixed places of kubelet, containerd and the container network outside of the bed's own directories. Those that did
# not exist before the bed are removed with it, once they are empty.
FOREIGN_DIRECTORIES = (
    Path("/run/containerd"),
    Path("/usr/libexec/kubernetes"),
    Path("/var/lib/cni"),
    Path("/var/lib/kubelet"),
    Path("/var/log/containers"),
)
KUBELET_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")

DEFAULT_SUBNET = "10.199.0.0/22"
# Only pods and the API server's own network namespace know this range, so it cannot clash with the host.
SERVICE_RANGE = "10.198.0.0/24"
KUBERNETES_SERVICE_ADDRESS = "10.198.0.1"


class SettingsError(Exception):
    """A setting from the environment cannot be used."""


@dataclass(frozen=True)
class Settings:
    """What a user may change by environment variables; everything else is fixed.

    Attributes:
        subnet: IPv4 /22 of the bridge, brokers, control plane and pods.
        kafka_heap: Java heap of one broker, for example ``400m``.
    """

    subnet: ipaddress.IPv4Network
    kafka_heap: str

    @property
    def bridge_address(self) -> str:
        """Address of the host (kubelet) on the bridge."""
        return str(self.subnet[1])

    @property
    def control_address(self) -> str:
        """Address of the API server on the bridge."""
        return str(self.subnet[10])

    @property
    def monitoring_address(self) -> str:
        """Address of Prometheus and what belongs to it on the bridge."""
        return str(self.subnet[20])

    def broker_address(self, number: int) -> str:
        """Address of broker ``number`` (1, 2 or 3)."""
        if not 1 <= number <= BROKER_COUNT:
            raise SettingsError(f"broker {number} does not exist; the brokers are 1 to {BROKER_COUNT}")
        return str(self.subnet[10 + number])

    @property
    def bootstrap_servers(self) -> str:
        """All brokers as ``host:port,...``."""
        return self.servers(9092)

    def servers(self, port: int) -> str:
        """One listener of all brokers as ``host:port,...``."""
        return ",".join(f"{self.broker_address(number)}:{port}" for number in range(1, BROKER_COUNT + 1))

    @property
    def pod_range(self) -> tuple[str, str]:
        """First and last address handed to pods; the first 256 addresses stay with the bed itself."""
        return str(self.subnet[256]), str(self.subnet[-2])

    def in_subnet(self, address: str) -> str:
        """``address`` with the prefix length of the subnet."""
        return f"{address}/{self.subnet.prefixlen}"


def load() -> Settings:
    """Read ``TESTBED_SUBNET`` and ``TESTBED_KAFKA_HEAP``.

    Raises:
        SettingsError: the subnet is not an IPv4 /22.
    """
    text = os.environ.get("TESTBED_SUBNET", DEFAULT_SUBNET)
    try:
        subnet = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise SettingsError(f"TESTBED_SUBNET={text!r} is not an IPv4 network: {error}") from error
    if subnet.prefixlen != 22:
        raise SettingsError(f"TESTBED_SUBNET={text!r} must be a /22: 256 fixed addresses and three times 256 for pods")
    return Settings(subnet=subnet, kafka_heap=os.environ.get("TESTBED_KAFKA_HEAP", "400m"))


def cache_root() -> Path:
    """Directory of everything that is expensive to make; shared by all checkouts of one user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "streamops-bluegreen"
