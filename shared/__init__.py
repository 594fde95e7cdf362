"""Contacts Mirror: every user's contacts gathered into one hub, and the hub scattered back to everybody.

Where to begin reading: `sync.merge`, `sync.pairing` and `sync.plan` decide; `engine` carries out what they decide; the
rest reaches the outside world. `docs/architecture.md` has the map, `docs/sync-rules.md` the rules that `sync` holds.

    errors              every error, named by what the caller does about it
    telemetry           log lines
    sync                the rules: pure functions on values; no I/O, clock or randomness
    ports               what the engine needs of the outside world
    config              the settings as validated values
    engine              one run: gather, hub writes, scatter, report
    graph, keyvault     adapters: Microsoft Graph, Azure Key Vault; they never see each other
    manual              a run asked for over HTTP, as values
    bootstrap           the only place that puts it all together
    cli                 `python -m shared`

Imports point up this list only; `make check` holds it to that.
"""

__version__ = "0.1.0"
