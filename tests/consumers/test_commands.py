"""Bodies of commands."""

import pytest

from bgconsumer.commands import NAMES, parse
from bgconsumer.model import ContractError


def test_pause_body():
    command = parse("pause", {"epoch": 7, "mode": "drain", "leaveGroup": True}, None)
    assert (command.epoch, command.leave_group, command.wait_ms) == (7, True, 1000)


def test_the_commands():
    assert NAMES == ("pause", "prepare", "resume", "fence")


def test_epoch_from_the_header_alone():
    assert parse("resume", {}, "4").epoch == 4


@pytest.mark.parametrize(
    ("name", "body", "header", "fragment"),
    [
        ("pause", [], None, "JSON object"),
        ("pause", {}, None, "epoch is None"),
        ("pause", {"epoch": "7"}, None, "epoch is '7'"),
        ("pause", {"epoch": True}, None, "epoch is True"),
        ("pause", {"epoch": -1}, None, "epoch is -1"),
        ("pause", {"epoch": 1.5}, None, "epoch is 1.5"),
        ("pause", {"epoch": 7}, "8", "header X-BG-Epoch is 8, body says epoch 7"),
        ("pause", {"epoch": 7}, "seven", "header X-BG-Epoch is 'seven'"),
        ("pause", {"epoch": 7, "mode": "immediate"}, None, "mode is 'immediate', expected drain"),
        ("pause", {"epoch": 7, "waitMs": 60_001}, None, "waitMs is 60001"),
        ("pause", {"epoch": 7, "waitMs": "5"}, None, "waitMs is '5'"),
        ("pause", {"epoch": 7, "leaveGroup": 1}, None, "leaveGroup is 1"),
        ("prepare", {"epoch": 7, "standby": "warm"}, None, "standby is 'warm', expected hot or cold"),
    ],
)
def test_faults_are_named(name, body, header, fragment):
    with pytest.raises(ContractError) as error:
        parse(name, body, header)
    assert error.value.status == 400
    assert fragment in str(error.value)
