"""What it costs to ask for help: CPU seconds, against starting Python alone."""

import json
import resource
import statistics
import subprocess
import sys


def cpu_seconds(*command: str) -> float:
    """User and system time of a command, the median of five."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def main() -> int:
    """Measure `planish --help`."""
    spent = cpu_seconds(sys.executable, "-m", "planish.cli", "--help")
    print(
        json.dumps(
            {"claim": "planish --help, CPU seconds", "ratio": round(spent, 3), "target": 0.3, "holds": spent < 0.3}
        )
    )
    return 0 if spent < 0.3 else 1


if __name__ == "__main__":
    sys.exit(main())
