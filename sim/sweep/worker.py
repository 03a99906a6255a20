"""A worker process of a sweep: tasks come as lines of JSON on its input, what comes of them goes back as lines.

It has no socket and unpickles nothing. When its input ends, because the sweep has, it ends at once; a run it was at is
left as any interrupted one is.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Iterable
from typing import IO, Any

__all__ = ["main"]


def main(device: str) -> None:
    """Do tasks until the input ends."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed is no reply
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, asked), daemon=True).start()

    from sim.errors import ChipcastError
    from sim.sweep import handshake, task

    try:
        _say(replies, hello=handshake.hello(device))
    except ChipcastError as error:
        _say(replies, refused=[type(error).__name__, error.code, error.problem, error.remedy])
        return
    while True:
        given = task.read(asked.get())
        outcome = task.do(given, lambda done: _say(replies, draws=done))
        _say(replies, outcome=outcome._asdict())


def _listen(lines: Iterable[str], asked: "queue.SimpleQueue[str]") -> None:
    for line in lines:
        asked.put(line)
    os._exit(0)


def _say(replies: IO[str], **what: Any) -> None:
    replies.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
