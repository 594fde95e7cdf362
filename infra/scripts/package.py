"""Builds the package that Azure gets: the app, and beside it all libraries for Linux and Python 3.13, compiled.

    python infra/scripts/package.py dist/contacts-mirror.zip

Nothing is built on Azure: what was tested is what runs. Two builds of one commit are the same, byte for byte.
"""

import compileall
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

ROOT = Path(__file__).parents[2]
PYTHON = (3, 13)
# Where the Functions host looks for libraries (learn.microsoft.com/azure/azure-functions/functions-reference-python).
LIBRARIES = Path(".python_packages/lib/site-packages")
# The Graph SDK's 18,000 generated classes, of which the mirror uses none: compiled they would double the package.
UNUSED = re.compile(r"/msgraph/generated/\w+/")


def app_files() -> list[str]:
    """What of the project goes to Azure: all that git knows and `.funcignore` does not name."""
    ignored = _git("--ignored", "--exclude-from=.funcignore")
    return sorted(_git() - ignored)


def _git(*options: str) -> set[str]:
    words = ["git", "ls-files", "--cached", *options]
    return set(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())


def build(folder: Path) -> None:
    """Lay the package out in an empty folder."""
    for name in app_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    _install(folder / LIBRARIES)
    compileall.compile_dir(
        folder,
        maxlevels=20,
        rx=UNUSED,
        quiet=1,
        stripdir=str(folder),
        workers=0,
        # The host mounts the package read-only, with times of its own: it must neither check nor write a .pyc.
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )


def _install(target: Path) -> None:
    """Libraries for the machine that they will run on, whatever machine this is; by their locked hashes, unbuilt."""
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise SystemExit("uv is needed to build the package, and is not there: run `make package`.")
    platform = ["--python-version", "3.13", "--python-platform", "x86_64-manylinux2014", "--only-binary", ":all:"]
    words = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target), *platform]
    subprocess.run([*words, "--require-hashes", "--requirements", str(ROOT / "requirements.txt")], check=True)
    shutil.rmtree(target / "bin", ignore_errors=True)


def _members(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")


def pack(folder: Path, package: Path) -> None:
    """Make one file of it, in order and without times."""
    package.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(package, "w") as archive:
        for path in _members(folder):
            entry = ZipInfo(path.relative_to(folder).as_posix())
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())


def main() -> None:
    """Build the package where the first argument says."""
    if sys.version_info[:2] != PYTHON:
        raise SystemExit("The package is compiled for Python 3.13: build it with that version.")
    started, package = time.monotonic(), Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        pack(Path(folder), package)
    print(f"{package}: {package.stat().st_size / 1e6:.1f} MB in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
