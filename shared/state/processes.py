"""Which processes of this host still run."""

import os


def is_alive(process: int) -> bool:
    """Whether the process runs; true where that cannot be told, on Windows and for a number that is no process's."""
    # On Windows this call would end the process (docs.python.org/3/library/os.html#os.kill).
    if os.name == "nt" or process <= 0:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
