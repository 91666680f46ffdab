"""The lines of docs/launchers.md, as they stand there, with the real packages: two nodes train one model."""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.processes import ChildProcess

PAGE = (Path(__file__).parents[3] / "docs" / "launchers.md").read_text()
TRAINERS = Path(__file__).parent / "trainers"
RUN = "my-run"
END_SECONDS = 240.0
PODS_OWN = frozenset({"POD_UID", "POD_IP", "NODE_NAME", "JOB_COMPLETION_INDEX", "KUBERNETES_SERVICE_HOST"})

pytestmark = pytest.mark.timeout(400)

Start = Callable[..., ChildProcess]


def documented(language: str, word: str) -> str:
    """The block of the page in this language in which the word is."""
    (block,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if word in text]
    return str(block)


@pytest.fixture
def start(
    operator: OperatorProcess, cluster: Cluster, namespace: str, tmp_path: Path, apply: Callable[..., Any]
) -> Iterator[Start]:
    """``start(node, line, trainer)``: a documented line, run by a node whose own namespace is the test's."""
    applied = apply("Rendezvous", RUN, {"minNodes": 2, "maxNodes": 2})
    assert applied.returncode == 0, applied.stderr
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    with ExitStack() as ending:

        def run(node: str, line: str, trainer: str, **environment: str) -> ChildProcess:
            program, *words = shlex.split(line.replace("\\\n", " "))
            words[words.index("train.py")] = str(TRAINERS / trainer)
            ours = {name: value for name, value in os.environ.items() if name not in PODS_OWN}
            node_environment = {
                **ours,
                "KUBECONFIG": str(kubeconfig),
                "POD_NAME": node,
                "OMP_NUM_THREADS": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "ACCELERATE_USE_CPU": "true",  # without a GPU it would let every worker train alone
                "HF_HOME": str(tmp_path),
                "TMPDIR": str(tmp_path),
                **environment,
            }
            command = [str(Path(sys.executable).with_name(program)), *words, str(tmp_path)]
            process = ChildProcess(node, command, log=tmp_path / f"{node}.log", environment=node_environment)
            process.start()
            ending.callback(process.kill)
            return process

        yield run


def exit_code(node: ChildProcess) -> int | None:
    """How a node ended."""
    assert node.wait(END_SECONDS), f"{node.log_tail(60)}\nit has not ended after {END_SECONDS:.0f} s"
    return node.exit_code


def said_by_all(folder: Path, *nodes: ChildProcess) -> list[dict[str, Any]]:
    """What the workers of all nodes found, once all have ended well."""
    for node in nodes:
        assert exit_code(node) == 0, node.log_tail(60)
    return [json.loads(file.read_text()) for file in sorted(folder.glob("rank-*.json"))]


def assert_trained_together(said: list[dict[str, Any]]) -> None:
    """Four workers in one world have learned the line, and hold the same weights."""
    assert [(one["rank"], one["world"]) for one in said] == [(rank, 4) for rank in range(4)]
    assert all(one["weights"] == said[0]["weights"] for one in said)
    assert said[0]["weights"] == pytest.approx([3.0, 1.0], abs=0.2)


def test_accelerate_trains_over_two_nodes(start: Start, tmp_path: Path) -> None:
    line = documented("sh", "accelerate launch")
    nodes = [start(f"node-{index}", line, "train_accelerate.py") for index in range(2)]
    assert_trained_together(said_by_all(tmp_path, *nodes))


def test_lightning_trains_over_two_nodes(start: Start, tmp_path: Path) -> None:
    script = (TRAINERS / "train_lightning.py").read_text()
    assert documented("python", "Trainer(") in script, "the script that is tested is not the documented one"
    line = documented("sh", "torchrun --rdzv-backend")
    nodes = [start(f"node-{index}", line, "train_lightning.py") for index in range(2)]
    assert_trained_together(said_by_all(tmp_path, *nodes))


def test_what_kubeflow_leaves_in_the_pods_is_overruled_as_documented(start: Start, tmp_path: Path) -> None:
    assert "`--rdzv-endpoint=`" in PAGE
    line = documented("sh", "torchrun --rdzv-backend").replace(" train.py", " --rdzv-endpoint= train.py")
    leftover = {"PET_RDZV_ENDPOINT": "job-worker-0:29400"}
    nodes = [start(f"node-{index}", line, "train_accelerate.py", **leftover) for index in range(2)]
    assert_trained_together(said_by_all(tmp_path, *nodes))


@pytest.mark.parametrize("endpoint", ["job-worker-0:29400", "job-worker-0"])
def test_without_that_the_error_says_where_the_endpoint_comes_from(start: Start, endpoint: str) -> None:
    line = documented("sh", "torchrun --rdzv-backend")
    node = start("node-0", line, "train_accelerate.py", PET_RDZV_ENDPOINT=endpoint)
    assert exit_code(node) != 0
    assert "PET_RDZV_ENDPOINT" in node.log_tail(80)


def test_accelerate_without_a_name_is_told_how_to_give_one(start: Start) -> None:
    line = documented("sh", "accelerate launch").replace(f"--rdzv_conf name={RUN}", "")
    node = start("node-0", line, "train_accelerate.py")
    assert exit_code(node) != 0
    assert "--rdzv-conf name=my-run" in node.log_tail(80)
