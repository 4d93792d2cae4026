"""A real Kafka cluster and a real Kubernetes node on this machine, for tests and the demonstration."""

from testbed.bed import broker_seconds, down, env, up

__all__ = ["broker_seconds", "down", "env", "up"]
