"""`kube-rendezvous sidecar` and those who ask it: `wait`, `env`, `leave`."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from integration.command.conftest import Start
from integration.command.sidecar_node import SidecarNode
from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.recorder import Recorder
from kube_rendezvous.resources import Rendezvous

Sidecar = Callable[..., SidecarNode]

PLACE = 'echo "$RENDEZVOUS_STATE $RENDEZVOUS_ROUND $RANK $WORLD_SIZE $MASTER_ADDR:$MASTER_PORT"'


def in_round(said: dict[str, object], size: int, after: int = 0) -> bool:
    return said.get("state") == "formed" and int(str(said["round"])) > after and said["world_size"] == size


class Reader(threading.Thread):
    """Reads both files all the time, as trainers do, and keeps what was wrong with them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.over = threading.Event()
        self.wrong: list[str] = []
        self.seen: list[int] = []

    def run(self) -> None:
        while not self.over.is_set():
            text = (self.folder / "round.json").read_text()
            lines = (self.folder / "round.env").read_text()
            try:
                sequence = json.loads(text)["sequence"]
            except ValueError:
                self.wrong.append(text)
                continue
            if not lines.endswith("\n") or "RENDEZVOUS_STATE=" not in lines or "RENDEZVOUS_REASON=" not in lines:
                self.wrong.append(lines)
            if not self.seen or self.seen[-1] != sequence:
                self.seen.append(sequence)


class TestTrainersInAnyLanguage:
    def test_find_their_place_in_two_files_and_see_each_new_round(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=2, maxNodes=2, heartbeatSeconds=1)
        nodes = [sidecar("node-0"), sidecar("node-1")]
        assert nodes[0].ask("wait", "--timeout", "60").returncode == 0
        said = [node.until(lambda it: in_round(it, 2), "a round of 2") for node in nodes]
        assert sorted(it["rank"] for it in said) == [0, 1]
        assert said[0]["members"] == said[1]["members"]
        for node, it in zip(nodes, said, strict=True):
            place = f"formed {it['round']} {it['rank']} 2 {it['master_addr']}:{it['master_port']}"
            assert node.shell(PLACE) == place

        reader = Reader(nodes[0].folder)
        reader.start()
        nodes[1].node.kill()
        told = nodes[0].until(lambda it: it["state"] == "forming", "the end of the round")
        assert (told["round"], told["reason"]) == (said[0]["round"], "HeartbeatLost")
        assert nodes[0].shell(PLACE).startswith("forming ")
        assert nodes[0].ask("env").returncode == 75

        replacement = sidecar("node-1")
        after = said[0]["round"]
        for node in (nodes[0], replacement):
            node.until(lambda it: in_round(it, 2, after), "the next round")
        eventually(lambda: len(reader.seen) >= 3, "that the files showed the round, its end and the next one")
        reader.over.set()
        reader.join(10)
        assert reader.wrong == []
        assert reader.seen == sorted(reader.seen)

    def test_evaluate_what_env_prints(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=1, maxNodes=1)
        node = sidecar("node-0")
        assert node.ask("wait").returncode == 0
        lines = node.ask("env").stdout
        done = subprocess.run(
            ["sh", "-euc", f"{lines}\nsh -c 'echo $RANK $WORLD_SIZE'"], capture_output=True, text=True, check=True
        )
        assert done.stdout == "0 1\n"

    def test_that_stop_slowly_hold_the_next_round_up_with_wait_for_trainer(
        self, run: Run, sidecar: Sidecar, recorder: Recorder
    ) -> None:
        run.create(minNodes=1, maxNodes=2)
        node = sidecar("node-0", "--wait-for-trainer")
        first = node.until(lambda it: in_round(it, 1), "a round alone")
        newcomer = sidecar("node-1")
        node.until(lambda it: it["state"] == "forming", "the end of the round")
        recorder.wait_for("run", "wait for the node", lambda it: self.is_awaited(it, "node-0"), 15)

        (node.folder / "ready").write_text(f"{first['round']}\n")
        for each in (node, newcomer):
            each.until(lambda it: in_round(it, 2, first["round"]), "a round of both")

        third = sidecar("node-2")
        run.change(maxNodes=3)
        told = node.until(lambda it: it["state"] == "forming", "the end of the second round")
        assert node.get(f"/v1/ready?round={told['round']}", "POST")[0] == 200
        third.until(lambda it: in_round(it, 3), "a round of all three")

    @staticmethod
    def is_awaited(rendezvous: Rendezvous, name: str) -> bool:
        forming = rendezvous.status.forming
        return forming is not None and any(member.startswith(name) for member in forming.waiting_for)


class TestHttp:
    def test_a_request_waits_for_the_round_it_asks_for(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=2, maxNodes=2)
        node = sidecar("node-0")
        node.until(lambda it: it.get("state") == "waiting", "a beginning")
        eventually(lambda: node.ask("env").returncode == 75, "the endpoint")
        assert node.get("/startupz")[0] == 503
        assert node.get("/livez")[0] == 200
        assert node.get("/v1/round?after=0&timeout=0")[0] == 204
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(node.get, "/v1/round?after=0")
            sequence = node.get("/v1/round")[1]["sequence"]
            changed = pool.submit(node.get, f"/v1/round?changed={sequence}")
            sidecar("node-1")
            status, said = asked.result(60)
            assert (status, said["state"], said["world_size"]) == (200, "formed", 2)
            assert changed.result(60)[1]["sequence"] > sequence
        assert node.get("/startupz")[0] == 200
        assert node.get(f"/v1/round?after={said['round']}&timeout=0")[0] == 204

    def test_what_makes_no_sense_is_refused(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=1, maxNodes=1)
        node = sidecar("node-0")
        assert node.ask("wait").returncode == 0
        for path in ("/v1/round?after=x", "/v1/round?after=-1", "/v1/round?timeout=1e3", "/v1/round?after=" + "9" * 20):
            assert node.get(path)[0] == 400, path
        assert node.get("/etc/passwd")[0] == 404
        assert node.get("/v1/leave", "PUT")[0] == 501
        assert node.get("/v1/leave?close=perhaps", "POST")[0] == 400
        assert node.said()["state"] == "formed"


class TestTheEnd:
    def test_leave_close_ends_it_for_all_and_stops_nobody(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=2, maxNodes=2)
        nodes = [sidecar("node-0"), sidecar("node-1")]
        for node in nodes:
            node.until(lambda it: in_round(it, 2), "a round of both")

        assert nodes[0].ask("leave", "--close").returncode == 0
        assert run.status.closed is not None
        assert nodes[0].said()["state"] == "left"
        assert nodes[0].ask("wait").returncode == 79
        assert nodes[0].get("/v1/round?after=0")[0] == 410
        assert nodes[1].said()["state"] == "formed"
        for node in nodes:
            node.node.signal(signal.SIGTERM)
            assert node.node.exit_status() == 0

    def test_sigterm_leaves_so_that_the_others_go_on(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=1, maxNodes=2)
        nodes = [sidecar("node-0"), sidecar("node-1")]
        for node in nodes:
            node.until(lambda it: in_round(it, 2), "a round of both")
        nodes[1].node.signal(signal.SIGTERM)
        assert nodes[1].node.exit_status() == 0
        assert nodes[1].said()["state"] == "left"
        nodes[0].until(lambda it: in_round(it, 1), "a round alone")
        assert run.status.closed is None

    def test_sigterm_closes_when_the_trainer_has_said_that_it_is_done(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=1, maxNodes=1)
        node = sidecar("node-0")
        node.until(lambda it: in_round(it, 1), "a round")
        (node.folder / "finished").touch()
        node.node.signal(signal.SIGTERM)
        assert node.node.exit_status() == 0
        assert run.status.closed is not None

    def test_a_closed_rendezvous_is_said_and_the_sidecar_stays(self, run: Run, sidecar: Sidecar) -> None:
        run.create(minNodes=1, maxNodes=1, closed=True)
        node = sidecar("node-0")
        node.until(lambda it: it.get("state") == "closed", "closed")
        assert node.ask("wait").returncode == 79
        assert node.node.process.running


class TestStatus:
    def test_is_told_to_people_and_programs(self, run: Run, start: Start, sidecar: Sidecar) -> None:
        run.create(minNodes=1, maxNodes=1)
        assert sidecar("node-0").ask("wait").returncode == 0
        text = start("reader", "status")
        assert text.exit_status() == 0
        assert "State:      Active" in text.log
        assert "Round:      1, world size 1" in text.log
        program = start("program", "status", "-o", "json")
        assert program.exit_status() == 0
        assert json.loads(program.log)["status"]["round"] == 1
        assert start("stranger", "status", "--name", "other").exit_status() == 1
