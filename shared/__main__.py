"""`python -m shared`: the command line."""

import sys

try:  # loading takes long enough for a Ctrl-C to fall into it
    from shared.cli.main import main

    if __name__ == "__main__":
        main()
except KeyboardInterrupt:
    sys.stderr.write("Ended with Ctrl-C.\n")
    sys.exit(130)
