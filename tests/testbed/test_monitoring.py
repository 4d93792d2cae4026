"""The optional parts: beside the bed and not in it, and what they tell Prometheus."""

from __future__ import annotations

import ipaddress
import json

import pytest
import yaml
from kafka import TopicPartition

from testbed import bed, cli, lag_exporter, monitoring, network, plan, pod_targets, settings, state, supervision

CHOSEN = settings.Settings(subnet=ipaddress.IPv4Network("10.50.4.0/22"), kafka_heap="400m")


@pytest.fixture(autouse=True)
def files(monkeypatch, tmp_path):
    rules = tmp_path / "given.yml"
    rules.write_text("groups: []\n")
    monkeypatch.setattr(monitoring, "RULES", rules)
    monkeypatch.setattr(monitoring, "FILE", tmp_path / "monitoring.json")
    monkeypatch.setattr(monitoring, "RULES_FILE", tmp_path / "rules.yml")
    monkeypatch.setattr(settings, "cache_root", lambda: tmp_path / "cache")
    return tmp_path


def test_a_bed_with_them_is_the_same_bed(files):
    """Whoever started it without them, from another checkout, finds its own configuration."""
    before = plan.config_hash(CHOSEN)
    own = monitoring.config_hash(CHOSEN)
    monitoring.RULES.write_text("groups: [{name: other, rules: []}]\n")
    assert monitoring.config_hash(CHOSEN) != own
    assert plan.config_hash(CHOSEN) == before
    names = {program.name for program in plan.programs(CHOSEN)}
    assert not names & {program.name for program in monitoring.programs(CHOSEN)}


def test_every_one_runs_in_their_own_namespace_and_is_asked():
    programs = monitoring.programs(CHOSEN)
    assert {program.name for program in programs} == {part.name for part in monitoring.parts(CHOSEN)}
    assert {program.command[1] for program in programs} == {"--net=/run/netns/sotb-monitoring"}
    taken = {member.address for member in network.members(CHOSEN)}
    assert CHOSEN.monitoring_address not in taken
    assert ipaddress.IPv4Address(CHOSEN.monitoring_address) < ipaddress.IPv4Address(CHOSEN.pod_range[0])


def test_the_supervisor_gets_them_behind_the_others():
    text = supervision.config([*plan.programs(CHOSEN), *monitoring.programs(CHOSEN)])
    assert text.startswith(supervision.config(plan.programs(CHOSEN)))


def test_what_alertmanager_runs_with_is_what_is_shipped():
    given, shipped = (
        yaml.safe_load(text)
        for text in (monitoring.alertmanager_config(CHOSEN), monitoring.ALERTMANAGER.read_text(encoding="utf-8"))
    )
    assert given["route"] == shipped["route"]
    [webhook] = given["receivers"][1].pop("webhook_configs")
    [example] = shipped["receivers"][1].pop("webhook_configs")
    assert given["receivers"] == shipped["receivers"]
    assert webhook["url"] == "https://10.50.4.20:5057/alertmanager"
    assert webhook["http_config"]["authorization"]["credentials_file"] == str(monitoring.TOKEN_FILE)
    assert webhook.keys() == example.keys()
    assert "credentials" not in example["http_config"]["authorization"], "a token belongs into a file of its own"


def test_series_of_the_pushgateway_keep_their_labels():
    jobs = {job["job_name"]: job for job in yaml.safe_load(monitoring.prometheus_config())["scrape_configs"]}
    assert jobs["pushgateway"]["honor_labels"] is True
    assert {"pods", "kafka-exporter"} <= jobs.keys()


def record(files, monkeypatch):
    known = state.Record("/checkout", "hash", complete=True, environment={"PATH": "/kubectl", "KUBECONFIG": "k"})
    monkeypatch.setattr(state, "load", lambda: known)


def test_env_names_them_only_while_they_are_there(files, monkeypatch):
    record(files, monkeypatch)
    assert "PROMETHEUS_URL" not in bed.recorded_environment()
    monitoring._record(CHOSEN)
    found = bed.recorded_environment()
    assert (found["KUBECONFIG"], found["PROMETHEUS_URL"]) == ("k", "http://10.50.4.20:9090")
    assert found["PUSHGATEWAY_URL"] == "http://10.50.4.20:9091"
    assert found["ALERTMANAGER_URL"] == "http://10.50.4.20:9093"
    assert [part.name for part in bed.parts(CHOSEN)][-5:] == [part.name for part in monitoring.parts(CHOSEN)]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"config_hash": "a"}', '{"config_hash": "a", "environment": 1}']
)
def test_a_record_that_can_not_be_read_is_none(files, text):
    monitoring.FILE.write_text(text)
    assert monitoring.present() is None
    assert "prometheus" not in {part.name for part in bed.parts(CHOSEN)}


@pytest.mark.parametrize(("arguments", "extra"), [([], []), (["--with", "monitoring"], ["monitoring"])])
def test_up_starts_them_only_when_asked(monkeypatch, arguments, extra):
    asked = []
    monkeypatch.setattr(bed, "up", asked.append)
    assert cli.main(["up", *arguments]) == 0
    assert asked == [extra]


def test_up_with_something_unknown_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["up", "--with", "grafana"])
    assert ended.value.code == 2
    assert "monitoring" in capsys.readouterr().err


def test_only_parts_that_the_supervisor_knows_are_removed(monkeypatch):
    called = []
    monkeypatch.setattr(supervision, "running", lambda: {"prometheus": supervision.Running("FATAL", 0)})
    monkeypatch.setattr(supervision, "_call", lambda *given: called.append(given))
    supervision.remove_parts(["alertmanager", "prometheus"])
    assert called == [("stopProcessGroup", "prometheus"), ("removeProcessGroup", "prometheus")]


@pytest.mark.parametrize(
    ("namespaces", "master", "first"),
    [
        ([], "", ["ip", "netns", "add", "sotb-monitoring"]),
        (["sotb-monitoring"], "sotb0", None),
        # An interrupted `up` left the namespace and no link.
        (["sotb-monitoring"], "", ["ip", "netns", "delete", "sotb-monitoring"]),
    ],
)
def test_their_namespace_is_added_once(monkeypatch, namespaces, master, first):
    done = []
    monkeypatch.setattr(network, "_namespaces", lambda: namespaces)
    monkeypatch.setattr(network, "_master", lambda link: master)
    monkeypatch.setattr(network, "run", done.append)
    network.add(network.monitoring_member(CHOSEN), CHOSEN)
    assert (done[0] if done else None) == first
    assert not done or done[-1][-3:] == ["master", "sotb0", "up"]


def series(families, name):
    [family] = [family for family in families if family.name == name]
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


def test_lag_is_told_like_kafka_exporter_does():
    ends = {TopicPartition("t", 0): 10, TopicPartition("t", 1): 7, TopicPartition("u", 0): 3}
    commits = {"g": {TopicPartition("t", 0): 4}, "h": {TopicPartition("u", 0): 5}}
    found = lag_exporter.families(commits, ends, {"g": 2, "h": 0})
    # -1 where the group has commits for the topic and none for the partition; never less than 0 elsewhere.
    assert series(found, "kafka_consumergroup_lag") == {("g", "t", "0"): 6, ("g", "t", "1"): -1, ("h", "u", "0"): 0}
    assert series(found, "kafka_consumergroup_current_offset")["g", "t", "1"] == -1
    assert series(found, "kafka_topic_partition_current_offset") == {("t", "0"): 10, ("t", "1"): 7, ("u", "0"): 3}
    assert series(found, "kafka_consumergroup_members") == {("g",): 2, ("h",): 0}


def test_an_exporter_whose_brokers_are_away_fails_the_scrape_and_asks_anew(monkeypatch):
    made = []

    class Away:
        def __init__(self, **_given):
            made.append(self)
            self.closed = False

        def list_groups(self, **_given):
            raise ConnectionError

        def close(self):
            self.closed = True

    monkeypatch.setattr(lag_exporter, "KafkaAdminClient", Away)
    collector = lag_exporter.LagCollector("a:1")
    for _scrape in range(2):
        with pytest.raises(ConnectionError):
            list(collector.collect())
    assert [each.closed for each in made] == [True, True]


def test_pods_have_the_labels_of_discovery_by_kubernetes():
    pod = {
        "metadata": {
            "name": "p",
            "namespace": "n",
            "annotations": {"prometheus.io/port": "8080"},
            "labels": {"a-b": "c"},
        },
        "status": {"podIP": "10.0.0.1", "phase": "Running"},
    }
    [found] = pod_targets.targets([pod, {"metadata": {"name": "q", "namespace": "n"}, "status": {}}])
    assert found["targets"] == ["10.0.0.1"]
    meta = {name.removeprefix("__meta_kubernetes_"): value for name, value in found["labels"].items()}
    assert meta == {
        "namespace": "n",
        "pod_name": "p",
        "pod_ip": "10.0.0.1",
        "pod_phase": "Running",
        "pod_annotation_prometheus_io_port": "8080",
        "pod_label_a_b": "c",
    }
    json.dumps(found)
