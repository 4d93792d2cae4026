"""The bridge of the bed, and one network namespace for each broker and for the control plane.

No firewall rule, no address translation and no IP forwarding is needed: everything hangs on one bridge, and pods get
a direct route to the service address of the API server, which the control plane's namespace carries itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed import settings
from testbed.processes import run
from testbed.settings import Settings

FORWARD_COMMENT = "streamops-testbed"


@dataclass(frozen=True)
class Member:
    """A network namespace on the bridge.

    Attributes:
        namespace: its name under ``ip netns``.
        link: the host's end of its link; taking this down cuts the member off.
        address: its address on the bridge, without prefix length.
    """

    namespace: str
    link: str
    address: str


def broker_member(number: int, chosen: Settings) -> Member:
    """Network namespace of broker ``number``."""
    return Member(f"sotb-kafka-{number}", f"sotb-kafka{number}", chosen.broker_address(number))


def members(chosen: Settings) -> list[Member]:
    """All namespaces of the bed: brokers first, then the control plane."""
    brokers = [broker_member(number, chosen) for number in range(1, settings.BROKER_COUNT + 1)]
    return [*brokers, Member(settings.CONTROL_NAMESPACE, "sotb-control", chosen.control_address)]


def monitoring_member(chosen: Settings) -> Member:
    """Network namespace of the optional parts; it is there only with them."""
    return Member("sotb-monitoring", "sotb-monitor", chosen.monitoring_address)


def inside(member: Member, command: list[str]) -> list[str]:
    """``command`` as it runs inside the member's namespace; the pid stays the program's own."""
    return ["nsenter", f"--net=/run/netns/{member.namespace}", *command]


def create(chosen: Settings) -> None:
    """Create the bridge and all namespaces; nothing of them may exist."""
    run(["ip", "link", "add", settings.BRIDGE, "type", "bridge", "forward_delay", "0"])
    # Without a fixed address of its own a bridge takes over the lowest of its ports and changes with every pod.
    run(["ip", "link", "set", settings.BRIDGE, "address", "02:53:4f:54:42:00", "up"])
    run(["ip", "address", "add", chosen.in_subnet(chosen.bridge_address), "dev", settings.BRIDGE])
    for member in members(chosen):
        add(member, chosen)
    service = f"{settings.KUBERNETES_SERVICE_ADDRESS}/32"
    run(["ip", "-n", settings.CONTROL_NAMESPACE, "address", "add", service, "dev", "lo"])
    _allow_bridged_traffic()


def add(member: Member, chosen: Settings) -> None:
    """Create a member's namespace and attach it to the bridge; do nothing when that is done."""
    inner = ["ip", "-n", member.namespace]
    if member.namespace in _namespaces():
        if _master(member.link) == settings.BRIDGE:  # the last step below
            return
        run(["ip", "netns", "delete", member.namespace])
    run(["ip", "netns", "add", member.namespace])
    run(["ip", "link", "add", member.link, "type", "veth", "peer", "name", "eth0", "netns", member.namespace])
    run([*inner, "link", "set", "lo", "up"])
    run([*inner, "address", "add", chosen.in_subnet(member.address), "dev", "eth0"])
    run([*inner, "link", "set", "eth0", "up"])
    run(["ip", "link", "set", member.link, "master", settings.BRIDGE, "up"])


def remove() -> None:
    """Remove every namespace, link and rule of the bed that exists; safe to repeat."""
    names = {name for name in _namespaces() if name.startswith("sotb-")}
    for name in sorted(names):
        run(["ip", "netns", "delete", name])
    for link in _links():
        # A pod's link outlives its namespace for a moment, so ask for it without insisting.
        if link.startswith("sotb-") or _master(link) == settings.BRIDGE:
            run(["ip", "link", "delete", link], check=False)
    if Path(f"/sys/class/net/{settings.BRIDGE}").exists():
        run(["ip", "link", "delete", settings.BRIDGE])
    _forbid_bridged_traffic()


def leftovers() -> list[str]:
    """Names of links and namespaces of a bed that exist now."""
    ours = [name for name in _links() if name == settings.BRIDGE or name.startswith("sotb-")]
    rules = [f"firewall rule {FORWARD_COMMENT}"] if FORWARD_COMMENT in _saved_rules() else []
    return ours + [name for name in _namespaces() if name.startswith("sotb-")] + rules


def set_link(member: Member, *, up: bool) -> None:
    """Connect a member to the bridge or cut it off."""
    run(["ip", "link", "set", member.link, "up" if up else "down"], timeout=10)


def _namespaces() -> list[str]:
    directory = Path("/run/netns")
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def _links() -> list[str]:
    # Not from ip, which a bare machine has only after `up` installed it.
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def _master(link: str) -> str:
    master = Path(f"/sys/class/net/{link}/master")
    return master.resolve().name if master.exists() else ""


def _forward_rule() -> list[str]:
    bridge = settings.BRIDGE
    return ["FORWARD", "-i", bridge, "-o", bridge, "-m", "comment", "--comment", FORWARD_COMMENT, "-j", "ACCEPT"]


def _allow_bridged_traffic() -> None:
    """Where another container engine made the host drop bridged packets, let those of our bridge through."""
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    filtered = switch.exists() and switch.read_text().strip() == "1"
    if filtered and drops_forwarded(_saved_rules()):
        run(["iptables", "-w", "-I", *_forward_rule()])


def _forbid_bridged_traffic() -> None:
    """Remove the rule of ``_allow_bridged_traffic`` as often as it is there."""
    for _ in range(_saved_rules().count(f"--comment {FORWARD_COMMENT} ")):
        run(["iptables", "-w", "-D", *_forward_rule()])


def drops_forwarded(saved: str) -> bool:
    """Whether the output of ``iptables-save`` has a filter table that drops what no rule accepts."""
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        if table == "filter" and line.startswith(":FORWARD DROP"):
            return True
    return False


def _saved_rules() -> str:
    """All present rules; unlike ``iptables -S`` this loads no kernel module and creates no table."""
    if not Path("/usr/sbin/iptables-save").exists():
        return ""
    return run(["iptables-save"])
