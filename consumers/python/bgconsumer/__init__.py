"""Example application: a Kafka consumer of one colour that speaks the lifecycle contract bg/v1."""
