"""Optional parts: Prometheus, Alertmanager and Pushgateway, what they need here, and the program ansible-rulebook.

They have a network namespace of their own on the bridge, so they use no port of the machine and reach pods, brokers and API server.
They are no part of the bed's configuration: a bed with them is the same bed, and what is recorded of them has a file of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml

from testbed import cache, certificates, health, kafka, network, plan, secured, settings, supervision
from testbed.health import Part, UnhealthyError
from testbed.processes import run
from testbed.progress import Progress
from testbed.settings import Settings
from testbed.supervision import Program

NAME = "monitoring"
CHECKOUT = Path(__file__).resolve().parent.parent
RULES = CHECKOUT / "monitoring" / "rules.yml"
ALERTMANAGER = CHECKOUT / "monitoring" / "alertmanager.yml"
EXPORTER = Path(__file__).parent / "lag_exporter.py"
POD_TARGETS = Path(__file__).parent / "pod_targets.py"
REQUIREMENTS = Path(__file__).parent / "rulebook-requirements.txt"

FILE = settings.STATE_DIR / "monitoring.json"
CONFIG = settings.STATE_DIR / "config" / NAME
RULES_FILE = CONFIG / "rules.yml"
TOKEN_FILE = CONFIG / "webhook.token"
CERTIFICATE = CONFIG / "webhook.crt"
CERTIFICATE_KEY = CONFIG / "webhook.key"
DATA = settings.STATE_DIR / NAME

# Extracted and not installed: Debian would start each of them as a service of the machine.
PACKAGES = ("prometheus", "prometheus-alertmanager", "prometheus-pushgateway")
PROMETHEUS_PORT, ALERTMANAGER_PORT, PUSHGATEWAY_PORT, EXPORTER_PORT, TARGETS_PORT = 9090, 9093, 9091, 9308, 9309
WEBHOOK_PORT = 5057
"""Where Alertmanager sends what asks for a rollback, inside the namespace; whoever runs the rulebook listens there."""


@dataclass(frozen=True)
class Present:
    """What is recorded of the parts that run: the hash of what they were made from, and what ``env`` prints."""

    config_hash: str
    environment: dict[str, str]


def present() -> Present | None:
    """The parts as recorded, None when they were never started in this life of the bed."""
    try:
        content = json.loads(FILE.read_text())
        return Present(content["config_hash"], dict(content["environment"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def programs(chosen: Settings) -> list[Program]:
    """The parts in the order they are started."""
    data, anywhere = DATA, "--web.listen-address=0.0.0.0"  # of their own namespace
    # Beside the two scripts lie modules of the bed with the names of libraries, hence -P.
    script = [sys.executable, "-P"]
    commands = {
        "pushgateway": [*_extracted("prometheus-pushgateway"), f"{anywhere}:{PUSHGATEWAY_PORT}"],
        "alertmanager": [
            *_extracted("prometheus-alertmanager"),
            f"--config.file={CONFIG / 'alertmanager.yml'}",
            f"--storage.path={data / 'alertmanager'}",
            f"{anywhere}:{ALERTMANAGER_PORT}",
            "--cluster.listen-address=",  # no others to gossip with
        ],
        "prometheus": [
            *_extracted("prometheus"),
            f"--config.file={CONFIG / 'prometheus.yml'}",
            f"--storage.tsdb.path={data / 'prometheus'}",
            "--storage.tsdb.retention.time=6h",
            f"{anywhere}:{PROMETHEUS_PORT}",
            "--web.enable-lifecycle",  # POST /-/reload, for whoever adds rules
        ],
        "lag-exporter": [
            *script,
            str(EXPORTER),
            f"--servers={chosen.bootstrap_servers}",
            "--address=0.0.0.0",
            f"--port={EXPORTER_PORT}",
        ],
        "pod-targets": [
            *script,
            str(POD_TARGETS),
            f"--api=https://{chosen.control_address}:443",
            f"--ca={certificates.CA_FILE}",
            f"--cert={certificates.certificate('admin')}",
            f"--key={certificates.private_key('admin')}",
            "--address=0.0.0.0",
            f"--port={TARGETS_PORT}",
        ],
    }
    member = network.monitoring_member(chosen)
    return [Program(name, network.inside(member, command)) for name, command in commands.items()]


def parts(chosen: Settings) -> list[Part]:
    """The parts for ``status``."""
    ports = {
        "pushgateway": (PUSHGATEWAY_PORT, "/-/ready"),
        "alertmanager": (ALERTMANAGER_PORT, "/-/ready"),
        "prometheus": (PROMETHEUS_PORT, "/-/ready"),
        "lag-exporter": (EXPORTER_PORT, "/metrics"),
        "pod-targets": (TARGETS_PORT, "/"),
    }
    address = chosen.monitoring_address
    return [
        Part(name, f"{address}:{port}", _answers(f"http://{address}:{port}{path}"))
        for name, (port, path) in ports.items()
    ]


def config_hash(chosen: Settings) -> str:
    """Hash of everything the parts are made from."""
    commands = json.dumps([[program.name, list(program.command)] for program in programs(chosen)])
    return cache.key(commands, prometheus_config(), alertmanager_config(chosen), EXPORTER, POD_TARGETS, RULES)


def prometheus_config() -> str:
    """Text of ``prometheus.yml``: looks every second, so that tests need not wait."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    pods = {
        "job_name": "pods",
        "http_sd_configs": [{"url": f"http://127.0.0.1:{TARGETS_PORT}/", "refresh_interval": "1s"}],
        "relabel_configs": [
            {"source_labels": [f"{annotation}scrape"], "action": "keep", "regex": "true"},
            {"source_labels": ["__meta_kubernetes_pod_phase"], "action": "drop", "regex": "Succeeded|Failed"},
            {"source_labels": [f"{annotation}path"], "target_label": "__metrics_path__", "regex": "(.+)"},
            {
                "source_labels": ["__meta_kubernetes_pod_ip", f"{annotation}port"],
                "separator": ":",
                "target_label": "__address__",
                "regex": "(.+:[0-9]+)",
            },
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        ],
    }
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES_FILE)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ALERTMANAGER_PORT}"]}]}]},
        "scrape_configs": [
            pods,
            {
                "job_name": "pushgateway",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{PUSHGATEWAY_PORT}"]}],
            },
            {"job_name": "kafka-exporter", "static_configs": [{"targets": [f"127.0.0.1:{EXPORTER_PORT}"]}]},
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)


def alertmanager_config(chosen: Settings) -> str:
    """The example of the collection with the paths of the bed: what is shipped is what is run."""
    config = yaml.safe_load(ALERTMANAGER.read_text())
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            webhook["url"] = f"https://{chosen.monitoring_address}:{WEBHOOK_PORT}/alertmanager"
            webhook["http_config"]["authorization"]["credentials_file"] = str(TOKEN_FILE)
            webhook["http_config"]["tls_config"]["ca_file"] = str(secured.CA_FILE)
    return str(yaml.safe_dump(config, sort_keys=False))


def _extracted(name: str) -> list[str]:
    """Command of a program whose package is not installed: it sees its package's files in /usr/share, and nobody else does."""
    mount = 'mount -t overlay none -o "lowerdir=$1:/usr/share" /usr/share && shift && exec "$@"'
    share = str(_packages_entry() / "usr/share")
    return ["unshare", "--mount", "sh", "-c", mount, name, share, str(programs_path() / name)]


def programs_path() -> Path:
    """Directory of the programs of Debian's packages."""
    return _packages_entry() / "usr/bin"


def rulebook_python() -> Path:
    """The Python that has ansible-rulebook: ``PYTHON -m ansible_rulebook``."""
    return cache.entry_path("rulebook", _rulebook_key()) / "bin/python"


def cached() -> bool:
    """Whether nothing has to be fetched."""
    return _packages_entry().is_dir() and rulebook_python().exists()


def fetch(report: Callable[[str], None]) -> None:
    """Fetch the packages and make the environment of ansible-rulebook, where they are not cached."""

    def extract(directory: Path) -> None:
        report("apt-get download " + " ".join(PACKAGES))
        run(["apt-get", "update", "--quiet"], timeout=300)
        run(["apt-get", "download", "--quiet", *PACKAGES], directory=directory, timeout=600)
        for package in sorted(directory.glob("*.deb")):
            run(["dpkg-deb", "--extract", package, directory], timeout=120)
            package.unlink()

    def install(directory: Path) -> None:
        report("environment of ansible-rulebook")
        run([sys.executable, "-m", "venv", directory], timeout=120)
        # By the environment's own Python: its scripts name the directory, which gets another name when it is complete.
        python = directory / "bin/python"
        run([python, "-m", "pip", "install", "--quiet", f"--requirement={REQUIREMENTS}"], timeout=900)

    cache.entry("monitoring", cache.key(*PACKAGES), extract)
    cache.entry("rulebook", _rulebook_key(), install)


def up(chosen: Settings, progress: Progress) -> None:
    """Start the parts beside the bed that runs, or find them healthy.

    Raises:
        UnhealthyError: one does not answer.
    """
    progress.step("Prometheus, Alertmanager, Pushgateway, ansible-rulebook", "cached" if cached() else "about 1 min")
    fetch(progress.note)
    recorded = present()
    same = recorded is not None and recorded.config_hash == config_hash(chosen)
    # Who lent the file to other rules may have been killed.
    if same and RULES_FILE.read_text() == RULES.read_text() and not _unhealthy(chosen):
        progress.line("Monitoring is up and healthy.")
        return
    progress.step("monitoring")
    FILE.unlink(missing_ok=True)
    supervision.remove_parts([program.name for program in programs(chosen)])
    network.add(network.monitoring_member(chosen), chosen)
    _write(chosen)
    supervision.CONFIG_FILE.write_text(supervision.config([*plan.programs(chosen), *programs(chosen)]))
    supervision.add_parts([program.name for program in programs(chosen)])
    for part in parts(chosen):
        health.wait(part.name, [part.check], timeout=60)
        progress.note(f"{part.name} answers")
    _record(chosen)


def _write(chosen: Settings) -> None:
    for directory in (CONFIG, DATA):
        directory.mkdir(parents=True, exist_ok=True)
    CONFIG.chmod(0o700)
    RULES_FILE.write_text(RULES.read_text())
    (CONFIG / "prometheus.yml").write_text(prometheus_config())
    (CONFIG / "alertmanager.yml").write_text(alertmanager_config(chosen))
    if not TOKEN_FILE.exists():
        TOKEN_FILE.touch(mode=0o600)
        # Not digits alone: a rulebook takes such a text for a number, which equals no text.
        TOKEN_FILE.write_text("bed-" + secrets.token_hex(16))
        authority = trustme.CA.from_pem(secured.CA_FILE.read_bytes(), secured.CA_KEY.read_bytes())
        issued = authority.issue_cert("127.0.0.1", "localhost", chosen.monitoring_address)
        issued.cert_chain_pems[0].write_to_path(str(CERTIFICATE))
        CERTIFICATE_KEY.touch(mode=0o600)
        CERTIFICATE_KEY.write_bytes(secured.pkcs8(issued))


def _record(chosen: Settings) -> None:
    address = chosen.monitoring_address
    environment = {
        "PROMETHEUS_URL": f"http://{address}:{PROMETHEUS_PORT}",
        "ALERTMANAGER_URL": f"http://{address}:{ALERTMANAGER_PORT}",
        "PUSHGATEWAY_URL": f"http://{address}:{PUSHGATEWAY_PORT}",
        "TESTBED_MONITORING_NETNS": network.monitoring_member(chosen).namespace,
        "TESTBED_PROMTOOL": str(programs_path() / "promtool"),
        "TESTBED_AMTOOL": str(programs_path() / "amtool"),
        "TESTBED_RULES_FILE": str(RULES_FILE),
        "TESTBED_RULEBOOK_PYTHON": str(rulebook_python()),
        "TESTBED_RULEBOOK_JAVA_HOME": str(Path(kafka.JAVA).parent.parent),
        "TESTBED_WEBHOOK_HOST": address,
        "TESTBED_WEBHOOK_PORT": str(WEBHOOK_PORT),
        "TESTBED_WEBHOOK_TOKEN_FILE": str(TOKEN_FILE),
        "TESTBED_WEBHOOK_CERTFILE": str(CERTIFICATE),
        "TESTBED_WEBHOOK_KEYFILE": str(CERTIFICATE_KEY),
        "TESTBED_WEBHOOK_CA": str(secured.CA_FILE),
    }
    content = {"config_hash": config_hash(chosen), "environment": environment}
    unfinished = FILE.with_suffix(".new")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.rename(FILE)


def _unhealthy(chosen: Settings) -> list[str]:
    return [result.part.name for result in health.check_all(parts(chosen)) if result.problem]


def _packages_entry() -> Path:
    return cache.entry_path("monitoring", cache.key(*PACKAGES))


def _rulebook_key() -> str:
    # An environment is a link to the Python it was made with.
    return cache.key(REQUIREMENTS, sys.version, os.path.realpath(sys.executable))


def _answers(url: str) -> Callable[[], None]:
    def check() -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=10):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            raise UnhealthyError(f"{url} answers {error.code}") from error
        except OSError as error:
            raise UnhealthyError(f"{url}: {error}") from error

    return check
