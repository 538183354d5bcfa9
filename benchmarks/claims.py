"""The ledger: wall time of the whole library at each level, and boxes per second of branch and bound.

python benchmarks/claims.py [sampled] [certified] [mutants]
"""

import sys
import time
from collections.abc import Callable

from mdtheory.claims import Report, Verdict, check

JOBS = 2
LIMITS = {"sampled": 120.0, "certified": 900.0, "mutants": 900.0}


def main(chosen: list[str]) -> None:
    runs: dict[str, Callable[[], Report]] = {
        "sampled": lambda: check(level="sampled", samples=1000, jobs=JOBS),
        "certified": lambda: check(level="certified", samples=1000, jobs=JOBS),
        "mutants": lambda: check(level="symbolic", samples=1000, mutants=True, jobs=JOBS),
    }
    for name in chosen or list(runs):
        start = time.perf_counter()
        report = runs[name]()
        seconds = time.perf_counter() - start
        print(f"{name}: {len(report.rows)} claims in {seconds:.0f} s on {JOBS} processes (aim: {LIMITS[name]:.0f} s)")
        if name == "mutants":
            refuted, counted = report.mutant_rate
            print(f"  {refuted} of {counted} mutants that are not equivalent refuted: {100 * refuted / counted:.1f} %")
        if name == "certified":
            print_boxes(report)
        slowest = sorted(report.rows, key=lambda row: -row.seconds)[:5]
        print("  slowest: " + ", ".join(f"{row.id} {row.seconds:.1f} s" for row in slowest))


def print_boxes(report: Report) -> None:
    """One line for each claim that was certified on a box."""
    for row in report.rows:
        for evidence in row.evidence:
            if evidence.checker == "certified" and evidence.verdict is Verdict.CERTIFIED:
                boxes = evidence.counts["boxes"]
                speed = boxes / max(evidence.seconds, 1e-9)
                print(f"  {row.id:<44} {boxes:>8} boxes  {evidence.seconds:>7.1f} s  {speed:>8.0f} a second")


if __name__ == "__main__":
    main(sys.argv[1:])
