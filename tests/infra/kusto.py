"""Microsoft's parser and binder of the query language, from npm, with the version in tests/kusto/package-lock.json."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "kusto"
PROGRAM = FOLDER / "node_modules" / "@kusto" / "language-service-next" / "package.json"

# The columns that our queries use, of learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces and
# …/tables/storagequeuelogs.
TABLES = {
    "AppTraces": "TimeGenerated:datetime, Message:string, SeverityLevel:int",
    "StorageQueueLogs": "TimeGenerated:datetime, OperationName:string, ObjectKey:string",
}


class MissingError(Exception):
    """The parser cannot be had here; the message says why."""


def install() -> None:
    """Have the parser; raises `MissingError`."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise MissingError("the parser of the query language needs Node.js and npm, and this machine lacks them")
    if PROGRAM.exists():
        return
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode or not PROGRAM.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MissingError(f"npm could not install the parser of the query language: {last}")


def complaints(queries: Mapping[str, str], folder: Path) -> list[dict[str, object]]:
    """What is wrong with the queries, by name; `folder` is for scratch files."""
    task = folder / "task.json"
    task.write_text(json.dumps({"tables": TABLES, "queries": queries}), encoding="utf-8")
    done = subprocess.run(
        ["node", "check.cjs", str(task)], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found
