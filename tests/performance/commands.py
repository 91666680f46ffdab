"""How the processes of a `performance.fleet.Fleet` are spoken to. Imports nothing but the standard library."""

import json
import sys


def answer_commands(player: object) -> None:
    """Do what each line of the standard input says, and answer with a line, until it ends.

    A line is a JSON object: `do` names a method of the player, the rest are its arguments. The answer is what that has
    returned, a JSON object too; of one that failed it has an `error`.
    """
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(player, command.pop("do"))(**command)
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201
