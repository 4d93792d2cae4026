"""What the tools know about topics."""

from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError

from bgtools import kafka
from bgtools.kafka import ToolError, partitions_of


class Client:
    """Answers as scripted: an error's code, or partitions."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def list_topics(self, topic, timeout):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        error = KafkaError(answer) if isinstance(answer, int) else None
        partitions = {} if error else dict.fromkeys(answer)
        return SimpleNamespace(topics={topic: SimpleNamespace(error=error, partitions=partitions)})


def test_a_broker_that_has_not_heard_of_the_topic_yet_is_asked_again():
    unknown = KafkaError.UNKNOWN_TOPIC_OR_PART
    assert partitions_of(Client(unknown, unknown, [1, 0]), "t") == [0, 1]


@pytest.mark.parametrize(
    ("code", "seconds"), [(KafkaError.UNKNOWN_TOPIC_OR_PART, 0.0), (KafkaError.TOPIC_AUTHORIZATION_FAILED, 60.0)]
)
def test_but_not_for_ever_and_for_nothing_else(monkeypatch, code, seconds):
    monkeypatch.setattr(kafka, "KNOWN_SECONDS", seconds)
    with pytest.raises(ToolError, match="topic t: "):
        partitions_of(Client(code), "t")
