"""A worker that only pretends: it speaks as ``sim.sweep.worker`` does, at once, and dies where a task says so.

What it says of itself stands in the environment; every task it begins is a line in the file named there.
"""

import json
import os
import signal
import sys
import time

print(json.dumps({"hello": json.loads(os.environ["PRETENDED"])}), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    with open(os.environ["BEGUN"], "a", encoding="utf-8") as begun:
        begun.write(f"{task['label']} {os.getpid()}\n")
    word, _, times = task["label"].partition(" dies ")
    with open(os.environ["BEGUN"], encoding="utf-8") as begun:
        before = sum(each.startswith(task["label"] + " ") for each in begun) - 1
    if times and before < int(times):
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({"draws": 7}), flush=True)
    time.sleep(0.02)
    outcome = {"run": word, "code": "", "message": "", "seconds": 0.0, "programs": 0, "process": f"here:{os.getpid()}"}
    print(json.dumps({"outcome": outcome}), flush=True)
