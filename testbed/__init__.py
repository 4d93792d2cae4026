"""A real Kafka cluster and a real Kubernetes node on this machine, for tests and the demonstration."""

from testbed.bed import down, env, up

__all__ = ["down", "env", "up"]
