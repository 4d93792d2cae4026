"""The one message about everything a machine lacks."""

from __future__ import annotations

import dataclasses

import pytest

from testbed import bed, cli, machine, packages

GOOD = machine.Facts(
    system="Linux",
    architecture="x86_64",
    distribution="debian",
    release="12",
    python=(3, 11),
    root=True,
    capabilities=2**41 - 1,
    memory_available=machine.MEMORY_MIB,
    disk_free={"/cache": machine.DISK_COLD_MIB, "/state": machine.DISK_COLD_MIB},
    disk_needed=machine.DISK_COLD_MIB,
    controllers={"cpu", "cpuset", "memory", "pids", "blkio"},
    file_systems={"ext4", "overlay"},
    has_apt=True,
    packages_missing=["containerd"],
    routes_in_the_way=[],
    other_kubelet=False,
)


def test_a_good_machine_lacks_nothing():
    assert machine.missing(GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system": "Darwin"}, "Linux"),
        ({"architecture": "aarch64"}, "x86_64"),
        ({"distribution": "ubuntu", "release": "24.04"}, "Debian 12"),
        ({"distribution": "debian", "release": "13"}, "Debian 12"),
        ({"python": (3, 10)}, "Python 3.11"),
        ({"root": False}, "root"),
        ({"capabilities": 1 << machine.CAP_NET_ADMIN}, "CAP_SYS_ADMIN"),
        ({"memory_available": machine.MEMORY_MIB - 1}, "memory"),
        ({"disk_free": {"/cache": 1, "/state": 10**6}}, "disk at /cache"),
        ({"controllers": {"cpu", "cpuset", "memory"}}, "pids"),
        ({"file_systems": {"ext4"}}, "overlay"),
        ({"has_apt": False}, "apt-get"),
        ({"routes_in_the_way": ["10.199.0.0/24 on tun0"]}, "TESTBED_SUBNET"),
        ({"other_kubelet": True}, "kubelet"),
    ],
)
def test_each_lack_is_reported_alone(change, words):
    found = machine.missing(dataclasses.replace(GOOD, **change))
    assert len(found) == 1
    assert words in found[0]


def test_apt_is_not_asked_for_when_nothing_is_to_be_installed():
    assert machine.missing(dataclasses.replace(GOOD, has_apt=False, packages_missing=[])) == []


def test_all_lacks_are_in_one_message():
    bad = dataclasses.replace(GOOD, root=False, has_apt=False, memory_available=100, architecture="riscv64")
    text = machine.message(machine.missing(bad))
    assert text.count("\n  - ") == 4
    assert all(words in text for words in ("root", "apt-get", "100 MiB", "riscv64", "Nothing was changed"))


def test_up_on_an_unsupported_machine_ends_with_2_before_it_touches_anything(monkeypatch, capsys, tmp_path):
    def must_not_run(*_arguments, **_named):
        pytest.fail("something was changed on an unsupported machine")

    monkeypatch.setattr(machine, "look", lambda *_, **__: dataclasses.replace(GOOD, root=False, has_apt=False))
    for name in ("_prepare", "_start", "_usable"):
        monkeypatch.setattr(bed, name, must_not_run)
    monkeypatch.setattr(bed.cache, "lock", must_not_run)
    monkeypatch.setattr(bed.teardown, "remove", must_not_run)
    assert cli.main(["up"]) == 2
    shown = capsys.readouterr().err
    assert "root" in shown
    assert "apt-get" in shown


def test_this_machine_can_be_looked_at():
    facts = machine.look(bed.settings.load(), cold=False, own_bed=True)
    assert facts.system
    assert facts.disk_free


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.19.8 linux/amd64", (1, 19)),
        ("go version go1.24rc1 linux/amd64", (1, 24)),
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("", (0, 0)),
    ],
)
def test_go_version(text, version):
    assert packages.go_version(text) == version
