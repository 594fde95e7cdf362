"""Microsoft's parser and binder of the query language, from npm, with the version in tests/kusto/package-lock.json."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.npm import Program

FOLDER = Path(__file__).parents[1] / "kusto"
PARSER = Program(
    "the parser of the query language",
    FOLDER,
    FOLDER / "node_modules" / "@kusto" / "language-service-next" / "package.json",
)

# The columns that our queries use, of learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces and
# …/tables/storagequeuelogs.
TABLES = {
    "AppTraces": "TimeGenerated:datetime, Message:string, SeverityLevel:int",
    "StorageQueueLogs": "TimeGenerated:datetime, OperationName:string, ObjectKey:string",
}


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
