"""Rendered configuration of Kafka, containerd, the pod network, Kubernetes and the supervisor."""

from __future__ import annotations

import configparser
import ipaddress
import json
import re
import shlex
import shutil
import sys
import tomllib

import pytest

from testbed import bed, containers, control_plane, images, kafka, network, plan, secured, settings, supervision
from testbed.kafka import Listener
from tests.unit.waiting import finished

CHOSEN = settings.Settings(subnet=ipaddress.IPv4Network("10.50.4.0/22"), kafka_heap="400m")


def properties(number, **arguments):
    text = kafka.server_properties(number, CHOSEN, **arguments)
    return dict(line.split("=", 1) for line in text.splitlines())


def test_each_broker_has_its_own_id_address_and_data_but_the_same_voters():
    first, third = properties(1), properties(3)
    assert (first["node.id"], third["node.id"]) == ("1", "3")
    assert first["advertised.listeners"].startswith("CLIENTS://10.50.4.11:9092,")
    assert third["advertised.listeners"].startswith("CLIENTS://10.50.4.13:9092,")
    assert first["log.dirs"] != third["log.dirs"]
    assert first["controller.quorum.voters"] == "1@10.50.4.11:9093,2@10.50.4.12:9093,3@10.50.4.13:9093"
    assert third["controller.quorum.voters"] == first["controller.quorum.voters"]


def test_durability_is_that_of_a_production_cluster():
    broker = properties(2)
    assert broker["default.replication.factor"] == "3"
    assert broker["min.insync.replicas"] == "2"
    assert broker["auto.create.topics.enable"] == "false"
    assert broker["offsets.topic.num.partitions"] == "5"


def test_the_rebalance_delay_is_not_touched():
    assert "group.initial.rebalance.delay.ms" not in properties(1)


def test_a_listener_can_be_added_without_touching_the_others():
    other = Listener("OTHER", 9099, "SASL_SSL", properties=(("sasl.enabled.mechanisms", "SCRAM-SHA-512"),))
    broker = properties(1, extra=(other,))
    assert broker["listeners"].endswith(",OTHER://10.50.4.11:9099")
    assert "OTHER:SASL_SSL" in broker["listener.security.protocol.map"]
    assert broker["listener.name.other.sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert broker["inter.broker.listener.name"] == "CLIENTS"
    assert "CONTROLLER" not in broker["advertised.listeners"]


def test_cluster_ids_are_kafkas_base64_uuids():
    ids = {kafka.new_cluster_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", each) for each in ids)


def test_containerd_keeps_to_its_own_directories():
    config = tomllib.loads(containers.containerd_config("pause:1", restrict_oom=True))
    own = (str(settings.STATE_DIR), str(settings.RUN_DIR))
    assert all(path.startswith(own) for path in (config["root"], config["state"], config["grpc"]["address"]))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == "pause:1"
    assert cri["restrict_oom_score_adj"] is True
    assert cri["cni"]["conf_dir"].startswith(own)
    assert cri["containerd"]["runtimes"]["runc"]["options"]["Root"].startswith(own)


def test_pod_addresses_fit_the_pods_and_stay_clear_of_the_bed():
    plugin = json.loads(containers.cni_config(CHOSEN))["plugins"][0]
    addresses = plugin["ipam"]["ranges"][0][0]
    first, last = (ipaddress.IPv4Address(addresses[name]) for name in ("rangeStart", "rangeEnd"))
    fixed = [ipaddress.IPv4Address(member.address) for member in network.members(CHOSEN)]
    assert int(last) - int(first) >= settings.MAX_PODS
    assert first in CHOSEN.subnet
    assert last in CHOSEN.subnet
    assert all(address < first for address in fixed)


def test_pods_have_a_route_to_the_service_address_of_the_api_server():
    plugin = json.loads(containers.cni_config(CHOSEN))["plugins"][0]
    assert {"dst": "10.198.0.1/32", "gw": CHOSEN.control_address} in plugin["ipam"]["routes"]
    assert ipaddress.IPv4Address("10.198.0.1") == ipaddress.IPv4Network(settings.SERVICE_RANGE)[1]


def test_no_part_makes_firewall_rules_of_its_own():
    assert json.loads(control_plane.kubelet_config(CHOSEN))["makeIPTablesUtilChains"] is False
    assert json.loads(containers.cni_config(CHOSEN))["plugins"][0]["ipMasq"] is False


def test_the_api_server_authorizes_by_node_and_rbac():
    command = control_plane.apiserver_command(CHOSEN)
    assert "--authorization-mode=Node,RBAC" in command
    assert "--secure-port=443" in command


def test_the_kubelet_runs_in_the_beds_control_group():
    config = json.loads(control_plane.kubelet_config(CHOSEN))
    assert config["cgroupRoot"] == f"/{settings.CGROUP}"
    assert config["maxPods"] >= 150


def test_supervisor_gets_back_exactly_the_commands():
    command = ["prog", "-D%x", "a b", 'say "hi"', "back\\slash"]
    text = supervision.config([supervision.Program("part", command, at_once=False)])
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    section = parser["program:part"]
    assert shlex.split(section["command"] % {}) == command
    assert section["autostart"] == "false"


def test_parts_on_the_bridge_run_inside_their_namespaces():
    commands = {program.name: list(program.command) for program in plan.programs(CHOSEN)}
    assert commands["kafka-2"][:2] == ["nsenter", "--net=/run/netns/sotb-kafka-2"]
    assert commands["kube-apiserver"][:2] == ["nsenter", "--net=/run/netns/sotb-control"]
    assert commands["kubelet"][0] != "nsenter"


@pytest.mark.parametrize("change", [{"kafka_heap": "768m"}, {"subnet": ipaddress.IPv4Network("10.60.0.0/22")}])
def test_another_setting_is_another_configuration(change):
    arguments = {"subnet": CHOSEN.subnet, "kafka_heap": CHOSEN.kafka_heap}
    other = settings.Settings(**{**arguments, **change})
    assert plan.config_hash(CHOSEN) == plan.config_hash(settings.Settings(**arguments))
    assert plan.config_hash(CHOSEN) != plan.config_hash(other)


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (kafka, "server_properties"),
        (kafka, "jars_key"),
        (kafka, "log_config"),
        (secured, "format_options"),
        (containers, "containerd_config"),
        (containers, "cni_config"),
        (control_plane, "kubelet_config"),
        (control_plane, "binary_key"),
        (plan, "probe_manifest"),
        (images, "root_key"),
    ],
)
def test_everything_a_bed_is_made_from_counts(monkeypatch, module, function):
    before = plan.config_hash(CHOSEN)
    monkeypatch.setattr(module, function, lambda *_, **__: "other")
    assert plan.config_hash(CHOSEN) != before


def test_the_configuration_does_not_depend_on_the_checkout(tmp_path):
    shutil.copytree(bed.CHECKOUT / "testbed", tmp_path / "testbed", ignore=shutil.ignore_patterns("__pycache__"))
    program = "from testbed import bed, plan, settings; print(bed.CHECKOUT, plan.config_hash(settings.load()))"
    done = finished([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path), plan.config_hash(settings.load())]


@pytest.mark.parametrize("text", ["10.0.0.0/24", "10.0.0.1/22", "nonsense", "10.0.0.0/16"])
def test_a_wrong_subnet_is_refused_by_name(monkeypatch, text):
    monkeypatch.setenv("TESTBED_SUBNET", text)
    with pytest.raises(settings.SettingsError, match="TESTBED_SUBNET"):
        settings.load()


def test_there_is_no_fourth_broker():
    with pytest.raises(settings.SettingsError, match="1 to 3"):
        CHOSEN.broker_address(4)


DOCKER = """*nat
:PREROUTING ACCEPT [0:0]
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
COMMIT
"""


def test_only_a_dropping_filter_table_needs_a_rule():
    assert network.drops_forwarded(DOCKER)
    assert not network.drops_forwarded(DOCKER.replace("FORWARD DROP", "FORWARD ACCEPT"))
    assert not network.drops_forwarded(DOCKER.replace("*filter", "*mangle"))
    assert not network.drops_forwarded("")
