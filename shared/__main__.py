"""`python -m shared`: the command line."""

from shared.cli.main import main

if __name__ == "__main__":
    main()
