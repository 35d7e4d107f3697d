"""The units of systemd, and the file of containers, of docs/cluster.rst: what reads them takes them, and so do we."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.workers import WorkerProcess
from tests.objects.ports import free_ports
from tests.readme import DOCS, block
from tests.servers.server import TIMEOUT, eventually
from tests.tools import missing, systemd_complaints
from workqueue.cli.parser import build_parser
from workqueue.program.process import TERMINATE_SECONDS
from workqueue.testing import ScriptedProgram

PAGE = DOCS / "cluster.rst"
UNITS = ["workqueue-nats.service", "workqueue-worker.service", "workqueue-web.service"]

#: All that a service of the compose file may say, and what it is.
SERVICE_KEYS = {
    "command": (str, list),
    "env_file": str,
    "healthcheck": dict,
    "image": str,
    "network_mode": str,
    "ports": list,
    "restart": str,
    "stop_grace_period": str,
    "volumes": list,
    "working_dir": str,
}


def unit(name: str) -> dict[str, dict[str, str]]:
    """Its sections."""
    sections: dict[str, dict[str, str]] = defaultdict(dict)
    section = ""
    for line in block(name, PAGE).replace("\\\n", " ").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            key, equals, value = line.partition("=")
            assert equals, line
            assert key not in sections[section], key
            sections[section][key] = " ".join(value.split())
    return sections


def worker_options(command: list[str], monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """What our own parser makes of `workqueue worker ...`; the servers are in the environment."""
    monkeypatch.setenv("WORKQUEUE_NATS_URL", "nats://queue.example")
    assert Path(command[0]).name == "workqueue"
    return build_parser().parse_args(command[1:])


def check_worker(options: argparse.Namespace, seconds_to_stop: float) -> None:
    """That it does what the page says, and is given time to."""
    assert options.run.__module__ == "workqueue.cli.worker"
    assert options.program == ("/srv/plugin/process-docset.py",)
    assert options.storage == "s3://my-bucket/indexes"
    assert options.directory == Path("/var/cache/workqueue")
    assert options.replicas == 3
    assert options.tls_ca
    assert options.tls_cert
    assert options.tls_key
    assert seconds_to_stop >= options.drain + 2 * TERMINATE_SECONDS


def check_web(command: list[str]) -> None:
    """That gunicorn takes it."""
    config = pytest.importorskip("gunicorn.config").Config()
    assert Path(command[0]).name == "gunicorn"
    options = config.parser().parse_args(command[1:])
    assert options.args == ["plugin:app"]
    config.set("worker_class", options.worker_class)
    config.set("bind", options.bind)
    assert (options.workers, options.threads) == (4, 32)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_one_for_systemd(name: str, tmp_path: Path) -> None:
    sections = unit(name)
    assert list(sections) == ["Unit", "Service", "Install"]
    service = sections["Service"]
    assert service["Restart"] == "always"
    assert re.fullmatch("/etc/[a-z]+/environment", service["EnvironmentFile"])
    text = block(name, PAGE).replace(shlex.split(service["ExecStart"])[0], str(shutil.which("true")))
    # Where there is a systemd that can tell, it finds nothing to say of it.
    if systemd_complaints(tmp_path / name, text.replace("Restart=", "Restar=")):
        assert systemd_complaints(tmp_path / name, text) == []


def test_a_worker_under_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    service = unit("workqueue-worker.service")["Service"]
    options = worker_options(shlex.split(service["ExecStart"]), monkeypatch)
    check_worker(options, float(service["TimeoutStopSec"]))
    assert service["Type"] == "notify"
    # Else systemd would stop the programs at once, which are to be drained.
    assert service["KillMode"] == "mixed"
    assert options.directory == Path("/var/cache", service["CacheDirectory"])


def test_a_web_server_under_systemd() -> None:
    service = unit("workqueue-web.service")["Service"]
    check_web(shlex.split(service["ExecStart"]))
    assert service["KillMode"] == "mixed"
    assert f'"/var/cache/{service["CacheDirectory"]}"' in block("cluster.py", PAGE)


def test_a_nats_server_under_systemd() -> None:
    service = unit("workqueue-nats.service")["Service"]
    assert shlex.split(service["ExecStart"])[1:] == ["-c", "/etc/nats/nats.conf"]
    assert f"store_dir: /var/lib/{service['StateDirectory']}\n" in block("nats.conf", PAGE)


def test_a_worker_of_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    export, command = block("three-servers-worker", PAGE).replace("\\\n", " ").strip().split("\n")
    assert export.startswith("$ export WORKQUEUE_NATS_URL=tls://workqueue:PASSWORD@queue-1,tls:")
    options = worker_options(shlex.split(command.removeprefix("$ ")), monkeypatch)
    assert (options.replicas, options.program[0]) == (3, os.path.abspath("process-docset.py"))  # noqa: PTH100


@pytest.fixture
def compose() -> dict[str, Any]:
    """The compose file."""
    try:
        import yaml
    except ModuleNotFoundError:
        missing("no YAML reader: pip install pyyaml")
    data: dict[str, Any] = yaml.safe_load(block("compose.yaml", PAGE))
    return data


def words(command: object) -> list[str]:
    """The command of a service."""
    return shlex.split(command) if isinstance(command, str) else [str(word) for word in command]  # type: ignore[attr-defined]


def seconds(text: str) -> float:
    """A duration."""
    return float(text.removesuffix("s"))


def test_the_compose_file_says_nothing_but_what_compose_knows(compose: dict[str, Any]) -> None:
    assert set(compose) == {"services", "volumes"}
    named = set()
    for service in compose["services"].values():
        assert {"image", "command", "env_file", "restart"} <= set(service) <= set(SERVICE_KEYS)
        assert service["restart"] == "always"
        for key, value in service.items():
            assert isinstance(value, SERVICE_KEYS[key]), (key, value)
        for text in [*service.get("ports", []), *service.get("volumes", [])]:
            assert isinstance(text, str)
        named |= {volume.partition(":")[0] for volume in service.get("volumes", []) if not volume.startswith("/")}
    assert named == set(compose["volumes"])
    assert list(compose["volumes"].values()) == [None] * len(named)


def test_services_of_containers(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    nats, worker, web = (compose["services"][name] for name in ("nats", "worker", "web"))
    assert words(nats["command"]) == ["-c", "/etc/nats/nats.conf"]
    assert "nats:/var/lib/nats" in nats["volumes"]
    options = worker_options(words(worker["command"]), monkeypatch)
    check_worker(options, seconds(worker["stop_grace_period"]))
    assert f"cache:{options.directory}" in worker["volumes"]
    assert set(worker["healthcheck"]) == {"test", "interval", "start_period"}
    assert f":{options.health}'" in worker["healthcheck"]["test"][-1]
    check_web(words(web["command"]))
    [port] = web["ports"]
    assert port.endswith(":8000")


def test_a_containers_health_is_asked_for(
    compose: dict[str, Any], own_nats: NatsServers, program: ScriptedProgram, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    how, command, *arguments = compose["services"]["worker"]["healthcheck"]["test"]
    assert (how, command) == ("CMD", "python3")
    ask = [sys.executable, *(argument.replace("8080", str(port)) for argument in arguments)]

    def status() -> int:
        return subprocess.run(ask, stderr=subprocess.DEVNULL, timeout=TIMEOUT, check=False).returncode

    assert status() == 1
    with WorkerProcess(program.path, own_nats.url, tmp_path / "results", "--health", str(port), lease=1.0):
        eventually(lambda: status() == 0)
        own_nats.kill()
        eventually(lambda: status() == 1)
