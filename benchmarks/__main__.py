"""``python -m benchmarks [NAME…]``: every bar of docs/performance.md, or those of the named files.

Prints each with its ratio, writes ``benchmarks/results.json``, and exits 1 when a bar fails or could not be measured
(``BENCH_PARTIAL=1`` lets the latter pass).
"""

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
    named = report.machine()
    print("  ".join(f"{name} {value}" for name, value in named.items()))
    bars: list[report.Bar] = []
    for name in names or ORDER:
        for bar in import_module(f"benchmarks.{name}").measure():
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
