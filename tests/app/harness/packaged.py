"""Starts the app from an unpacked package, with nothing else to import from but the standard library.

python -I -S packaged.py FOLDER     prints what was seen as JSON
"""

import asyncio
import json
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])
HERE = Path(__file__).parents[3]
LIBRARIES = FOLDER / ".python_packages/lib/site-packages"
sys.path[:0] = [str(LIBRARIES), str(FOLDER), str(HERE)]
sys.dont_write_bytecode = True

from tests.app.harness.worker import Worker, worker  # noqa: E402 - found on the path that was just made


async def see() -> dict[str, object]:
    """Start, ask for the health, mirror once."""
    with worker(FOLDER) as running:
        await running.start()
        health = await running.request("GET", "/api/health")
        await running.fire_timer("scheduled_sync")
        return {
            "functions": sorted(running.functions),
            "health": health.status,
            "outcome": running.events("run_summary")[0]["outcome"],
            "foreign": sorted(_foreign()),
            "worker": _file(running),
        }


def _foreign() -> set[str]:
    """Modules that came neither from the package nor with Python."""
    ours = (str(FOLDER), str(HERE), str(Path(json.__file__).parents[1]))
    files = ((name, getattr(module, "__file__", None)) for name, module in sys.modules.items())
    return {name for name, file in files if file and not file.startswith(ours)} - {"__main__"}


def _file(running: Worker) -> str:
    return str(Path(str(running.runtime.__file__)).relative_to(LIBRARIES))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(see())))  # noqa: T201 - the result
