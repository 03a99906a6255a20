"""``./go python -m benchmarks [--json] [--quick] [--draws N...] [NAME...]``: every ratio, with what it is against."""

import argparse
import json

from benchmarks import (
    base_world,
    gpu,
    integrity,
    memory,
    resolution,
    reweighting,
    roofline,
    sobol_gain,
    start_up,
    workload_w,
)
from benchmarks.contest import table

MODULES = (
    *(workload_w, base_world, resolution, reweighting, sobol_gain),
    *(roofline, start_up, memory, integrity, gpu),
)
BENCHMARKS = {each.__name__.rpartition(".")[2]: each.measure for each in MODULES}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, not how fast it is")
    parser.add_argument("--draws", type=int, action="append", help="a size for `memory`; may be given several times")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}")
    results = {}
    for name in chosen.names or BENCHMARKS:
        sizes = {"draws": chosen.draws} if chosen.draws and name == "memory" else {}
        results[name] = BENCHMARKS[name](quick=chosen.quick, **sizes)
        if not chosen.json:
            print(table(name, results[name]), flush=True)
    if chosen.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
