"""Contacts Mirror: every user's contacts gathered into one hub, and the hub scattered back to everybody.

Where to begin reading: `sync.pairing`, `sync.merge` and `sync.plan` decide, on `sync.contact` and what `sync.mergebase`
remembers of it; `engine.tenant` carries out what they decide; the rest reaches the outside world.
`docs/architecture.md` has the map, `docs/sync-rules.md` the rules that `sync` holds.

    errors              every error, named by what the caller does about it
    sync                the rules: pure functions on values; no I/O, clock or randomness
                          contact, replica, stamp, roster, rules    the values
                          pairing (identity), merge (mergebase)     who is who, and which value counts
                          first, settle                             what of a reading has to be kept
                          cases, guard, plan, scatter, draft        what is to be written or deleted
                          records, links, progress                  what is to be remembered
                          undo, report                              taking a run back, telling of one
                          facts, judge, findings                    whether everything is set up
    ports               what the engine needs of the outside world
    config              the settings as validated values
    telemetry           log lines
    state               adapters: where the memory between runs is kept
    engine              one run: gather, recall, plan, hub writes, scatter, report
                          run, job, options, lease, course, record  all tenants side by side, each alone and in time
                          tenant, gather, observe, memory           one tenant: reading and remembering
                          write, apply, scribe                      writing, and what came of it
                          history, undo                             looking back, taking back
                          check, asked                              is everything set up; a run that was asked for
    shards              the same run in shards: steps that hand parcels on, and may be delivered twice
    graph, keyvault     adapters: Microsoft Graph, Azure Key Vault
    clock, page         adapters: time, and the report as a web page
    manual              calls over HTTP and their answers, as values
    bootstrap           the only place that puts it all together
    serving             what the Function app's triggers do
    orchestration       Durable Functions, which drive runs in shards
    cli                 `python -m shared`

Imports point up this list only, and adapters never see each other: bootstrap ──► engine ──► ports ──► sync ──► errors.
`make check` holds it to that.
"""

__version__ = "0.1.0"
