"""Speed and memory: `make bench`. Each bench runs in a process of its own and prints its table."""

from __future__ import annotations

import subprocess
import sys

BENCHES = ("loop", "evidence", "from_pool", "epig", "adaptation", "acquisition", "simulation")


def main() -> None:
    for name in sys.argv[1:] or BENCHES:
        subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True)


if __name__ == "__main__":
    main()
