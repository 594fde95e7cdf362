"""Programs that the tests use and that come from npm, of the versions in a package-lock.json beside them."""

import fcntl
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class MissingError(Exception):
    """The program cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a person calls it, the folder with its lock, and a file that is there once it is installed."""

    name: str
    folder: Path
    file: Path

    def install(self) -> None:
        """Have it; raises `MissingError`. Of processes that want it at a time one installs it, and the others wait."""
        if not shutil.which("node") or not shutil.which("npm"):
            raise MissingError(f"{self.name} needs Node.js and npm, and this machine lacks them")
        with (self.folder / "package-lock.json").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.file.exists():
                self._fetch()

    def _fetch(self) -> None:
        words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode or not self.file.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise MissingError(f"npm could not install {self.name}: {last}")
