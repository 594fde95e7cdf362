"""The command line: arguments in, a run, a report out. Nothing in here decides about contacts."""
