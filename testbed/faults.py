"""Failures of brokers and of the API server for tests. Each can be undone, each call ends within seconds."""

from __future__ import annotations

import signal

from testbed import network, settings, supervision


def cut_broker(number: int) -> None:
    """Pull broker ``number`` (1 to 3) off the network; its process goes on running."""
    network.set_link(network.broker_member(number, settings.load()), up=False)


def heal_broker(number: int) -> None:
    """Connect broker ``number`` again."""
    network.set_link(network.broker_member(number, settings.load()), up=True)


def stop_broker(number: int) -> int:
    """Freeze the process of broker ``number`` by SIGSTOP and return its pid; connections to it stay open."""
    settings.load().broker_address(number)
    return supervision.signal_part(f"kafka-{number}", signal.SIGSTOP)


def continue_broker(number: int) -> int:
    """Let broker ``number`` go on after ``stop_broker``."""
    settings.load().broker_address(number)
    return supervision.signal_part(f"kafka-{number}", signal.SIGCONT)


def kill_broker(number: int) -> int:
    """End broker ``number`` by SIGKILL and return its former pid; the supervisor starts it again at once."""
    settings.load().broker_address(number)
    return supervision.signal_part(f"kafka-{number}", signal.SIGKILL)


def stop_api_server() -> int:
    """Freeze the API server by SIGSTOP and return its pid; connections to it stay open, and nobody is answered."""
    return supervision.signal_part("kube-apiserver", signal.SIGSTOP)


def continue_api_server() -> int:
    """Let the API server go on after ``stop_api_server``."""
    return supervision.signal_part("kube-apiserver", signal.SIGCONT)


def undo_all() -> None:
    """Connect every broker, continue every part, and start every part that a test ended."""
    for number in range(1, settings.BROKER_COUNT + 1):
        heal_broker(number)
    for name, part in supervision.running().items():
        if part.pid:
            supervision.signal_part(name, signal.SIGCONT)
        else:
            supervision.start_part(name)
