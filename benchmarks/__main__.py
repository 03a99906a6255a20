"""``./go python -m benchmarks [--json] [--quick] [NAME...]``: every ratio, with what it was measured against."""

import argparse
import json

from benchmarks.measure import BENCHMARKS


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, not how fast it is")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}")
    results = {name: BENCHMARKS[name](quick=chosen.quick) for name in chosen.names or BENCHMARKS}
    if chosen.json:
        print(json.dumps(results))
        return
    for name, result in results.items():
        print(name)
        for what, value in result.items():
            print(f"  {what:<34} {value:,.4g}")


main()
