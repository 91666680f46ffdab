"""A worker without torch: writes down how it was started and runs until it is told to finish or to fail.

Arguments: folder for what it writes and what tells it; name of its node.
"""

import json
import os
import sys
import time
from pathlib import Path

folder, node = Path(sys.argv[1]), sys.argv[2]
agent = os.getppid()


def write_start() -> None:
    """One line; a reader takes only whole lines."""
    start = {
        "node": node,
        "rank": int(os.environ["RANK"]),
        "world_size": int(os.environ["WORLD_SIZE"]),
        "master": f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}",
        "restarts": int(os.environ["TORCHELASTIC_RESTART_COUNT"]),
        "pid": os.getpid(),
        "at": time.time(),
    }
    with (folder / f"{node}.starts").open("a") as file:
        file.write(json.dumps(start) + "\n")


if __name__ == "__main__":
    write_start()
    failure = folder / f"{node}.fail"
    while not (folder / "finish").exists():
        if os.getppid() != agent:
            sys.exit("the agent died")
        if failure.exists():
            failure.unlink()
            sys.exit(f"told to fail by {failure}")
        time.sleep(0.02)
