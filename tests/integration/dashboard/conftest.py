"""The dashboard as a command of its own on the real API server, and a real browser that looks at it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.dashboard.browser import Browser, start_chromium
from integration.kubectl.scene import Scene, scene_in
from rendezvous_local.cluster import Cluster

END_SECONDS = 20.0


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that runs.

    Args:
        address: what it printed.
        told_at: when, on the wall clock, seconds since 1970.
    """

    address: str
    told_at: float
    process: subprocess.Popen[str]

    def of(self, namespace: str, name: str) -> str:
        """Where one Rendezvous is shown."""
        return f"{self.address}#/{namespace}/{name}"


StartDashboard = Callable[..., Dashboard]


@pytest.fixture(scope="module", autouse=True)
def nobody_else(cluster: Cluster) -> None:
    """Only where no scheduler, kubelet or operator of others has a say about our objects."""
    if cluster.control_plane is None:
        pytest.skip("pods that are objects only need the local control plane: unset KUBECONFIG")


@pytest.fixture
def scene(cluster: Cluster, namespace: str) -> Iterator[Scene]:
    """The test's namespace, to be filled."""
    with scene_in(cluster, namespace) as scene:
        yield scene


@pytest.fixture(scope="module")
def environment(cluster: Cluster) -> Mapping[str, str]:
    """Variables under which the command finds the cluster."""
    return {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "NO_PROXY": "127.0.0.1"}


@contextmanager
def running_dashboards(environment: Mapping[str, str]) -> Iterator[StartDashboard]:
    """Starts dashboards with these arguments; they end by Ctrl-C, and have nothing to say of errors then."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Dashboard:
        argv = [sys.executable, "-m", "kubectl_rendezvous", "dashboard", *arguments]
        process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        told_at = time.time()
        if not line:
            assert process.stderr is not None
            pytest.fail(process.stderr.read())
        return Dashboard(line.split()[-1], told_at, process)

    yield start
    for process in running:
        ended = process.poll() is not None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=END_SECONDS)
        assert ended or (process.returncode, said) == (0, "")


@pytest.fixture
def start_dashboard(environment: Mapping[str, str], namespace: str) -> Iterator[StartDashboard]:
    """``start_dashboard("--port", "8001")``: `kubectl rendezvous dashboard` in the test's namespace."""
    with running_dashboards(environment) as start:
        yield lambda *arguments: start("-n", namespace, *arguments)


@pytest.fixture(scope="module")
def shared_dashboard(environment: Mapping[str, str]) -> Iterator[Dashboard]:
    """One of all namespaces, for tests that do not care what it shows."""
    with running_dashboards(environment) as start:
        yield start("-A")


@pytest.fixture
def dashboard(start_dashboard: StartDashboard) -> Dashboard:
    """One for the test's namespace."""
    return start_dashboard()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the session."""
    driver = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield Browser(driver)
    driver.quit()


@pytest.fixture
def browser(chromium: Browser, start_dashboard: StartDashboard) -> Iterator[Browser]:
    """It, with an empty page; the test fails if anything went wrong in a page that it showed.

    The page is left before the dashboards end (so it asks for their fixture).
    """
    chromium.complaints()
    yield chromium
    complaints = chromium.complaints()
    chromium.open("about:blank")
    assert not complaints, complaints


@pytest.fixture
def guest(cluster: Cluster, kubectl: Any, namespace: str, tmp_path: Path) -> Callable[..., Path]:
    """``guest("rendezvous", …)``: a kubeconfig of somebody who may read these resources of the namespace only."""

    def make(*resources: str) -> Path:
        place = ("-n", namespace)
        kubectl("create", "serviceaccount", "guest", *place)
        if resources:
            kubectl("create", "role", "guest", "--verb=get,list,watch", f"--resource={','.join(resources)}", *place)
            kubectl("create", "rolebinding", "guest", "--role=guest", f"--serviceaccount={namespace}:guest", *place)
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        token = kubectl("create", "token", "guest", *place).stdout.strip()
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        file = tmp_path / "guest.kubeconfig"
        file.write_text(json.dumps(config))
        return file

    return make
