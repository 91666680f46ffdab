"""What `kubectl rendezvous` says when it cannot do what was asked: which thing is missing, and what to do."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml


def test_a_name_that_is_not_there_is_answered_with_near_ones_and_labelled_pods(command: Any, scene: Any) -> None:
    scene.rendezvous("my-run")
    scene.pod("trainer-0", "my-rum")
    answer = command("explain", "my-rum")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == (
        f"error: There is no Rendezvous my-rum in namespace {scene.namespace}; did you mean my-run? "
        "(1 pod labelled for it: trainer-0)\n"
    )


@pytest.mark.parametrize("subcommand", ["explain", "watch", "history", "close", "reopen"])
def test_every_command_says_that_there_is_no_such_rendezvous(command: Any, scene: Any, subcommand: str) -> None:
    answer = command(subcommand, "nobody")
    assert answer.returncode == 1
    assert "There is no Rendezvous nobody" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_somebody_without_rights_is_told_which_one_is_missing(
    scene: Any, kubectl: Any, cluster: Any, environment: Mapping[str, str], tmp_path: Path
) -> None:
    scene.rendezvous()
    assert kubectl("create", "serviceaccount", "guest", "-n", scene.namespace).returncode == 0
    token = kubectl("create", "token", "guest", "-n", scene.namespace).stdout.strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    file = tmp_path / "guest.kubeconfig"
    file.write_text(json.dumps(config))
    argv = [sys.executable, "-m", "kubectl_rendezvous", "list", "-n", scene.namespace, "--kubeconfig", str(file)]

    answer = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert answer.returncode == 1
    assert f"We may not list rendezvous.rendezvous.dev in namespace '{scene.namespace}'" in answer.stderr
    assert "create role" in answer.stderr


def test_who_may_not_read_pods_gets_the_story_without_them(
    scene: Any, kubectl: Any, cluster: Any, environment: Mapping[str, str], tmp_path: Path
) -> None:
    scene.rendezvous()
    in_namespace = ("-n", scene.namespace)
    kubectl("create", "serviceaccount", "guest", *in_namespace)
    resources = "--resource=rendezvous.rendezvous.dev,rendezvousmembers.rendezvous.dev"
    kubectl("create", "role", "reader", "--verb=get,list,watch", resources, *in_namespace)
    kubectl(
        "create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={scene.namespace}:guest", *in_namespace
    )
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    token = kubectl("create", "token", "guest", *in_namespace).stdout.strip()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    file = tmp_path / "guest.kubeconfig"
    file.write_text(json.dumps(config))
    argv = [sys.executable, "-m", "kubectl_rendezvous", "explain", "run", *in_namespace, "--kubeconfig", str(file)]

    answer = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert answer.returncode == 0, answer.stderr
    assert f"We may not read pods in {scene.namespace}" in answer.stdout


def test_close_without_an_operator_says_that_nobody_acted_on_it(command: Any, scene: Any) -> None:
    scene.rendezvous()
    answer = command("close", "run", "--timeout", "1")
    assert answer.returncode == 1
    assert "spec.closed of run is true now, but no operator has acted on it within 1s" in answer.stderr


def test_no_cluster_at_all(command: Any, tmp_path: Path) -> None:
    answer = command("list", "--kubeconfig", str(tmp_path / "nothing"))
    assert answer.returncode == 1
    assert answer.stderr == (
        f"error: There is no kubeconfig at {tmp_path / 'nothing'}: correct --kubeconfig, or leave it out\n"
    )


def test_a_context_that_is_not_there(command: Any) -> None:
    answer = command("list", "--context", "nowhere")
    assert answer.returncode == 1
    assert "No way to a cluster" in answer.stderr
    assert "kubectl config get-contexts" in answer.stderr


def test_an_api_server_that_does_not_answer(command: Any, cluster: Any, tmp_path: Path) -> None:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for entry in config["clusters"]:
        entry["cluster"]["server"] = "https://127.0.0.1:9"
    file = tmp_path / "away.kubeconfig"
    file.write_text(json.dumps(config))
    answer = command("list", KUBECONFIG=str(file))
    assert answer.returncode == 1
    assert "The API server does not answer" in answer.stderr


def test_the_namespace_of_the_context_is_used_without_n(
    scene: Any, cluster: Any, environment: Mapping[str, str], tmp_path: Path
) -> None:
    scene.rendezvous("here")
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for entry in config["contexts"]:
        entry["context"]["namespace"] = scene.namespace
    file = tmp_path / "here.kubeconfig"
    file.write_text(json.dumps(config))
    argv = [sys.executable, "-m", "kubectl_rendezvous", "list"]
    answer = subprocess.run(
        argv, env={**environment, "KUBECONFIG": str(file)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stdout.splitlines()[1].split()[:2] == ["here", "Unobserved"]
