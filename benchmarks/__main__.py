"""``python -m benchmarks [NAME…]``: every bar of docs/performance.md, or those of the named files.

Prints each with its ratio, writes ``benchmarks/results.json``, and exits 1 when a bar fails or could not be measured
(``BENCH_PARTIAL=1`` lets the latter pass). A benchmark whose own check fails has no figure and fails.
"""

import logging
import os
import sys
from importlib import import_module

from benchmarks import report

ORDER = (
    "market_path", "instructions", "peers", "dispatch", "loopback", "snapshots", "reads", "memory", "wire",
)  # fmt: skip


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        print(f"{unknown[0]} is not a benchmark; there are: {', '.join(ORDER)}", file=sys.stderr)
        return 2
    # Runs that end halt their orders and say so; what a run says is not what is measured.
    logging.disable(logging.WARNING)
    named = report.machine()
    print("  ".join(f"{name} {value}" for name, value in named.items()))
    bars: list[report.Bar] = []
    for name in names or ORDER:
        try:
            found = import_module(f"benchmarks.{name}").measure()
        except AssertionError as wrong:
            found = [report.wrong(name, wrong)]
        for bar in found:
            report.show(bar)
            bars.append(bar)
    if not names:
        report.write(bars, named)
    missing = [bar.name for bar in bars if bar.holds is None]
    failed = [bar.name for bar in bars if bar.holds is False]
    print(f"{len(bars) - len(missing) - len(failed)} hold, {len(failed)} fail, {len(missing)} not measured")
    return 1 if failed or (missing and not os.environ.get("BENCH_PARTIAL")) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
