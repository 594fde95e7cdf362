"""Logging of the command line: to stderr, and only what is worth a line."""

import logging
import sys

from shared.telemetry import quiet_libraries


def log_to_stderr(*, verbose: bool) -> None:
    """Send the mirror's events to stderr; the libraries' warnings only when asked for more."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO if verbose else logging.ERROR, force=True)
    quiet_libraries()
    if not verbose:
        logging.disable(logging.ERROR)
