"""A tenant's run in shards, for those who outgrow one process: the engine's steps, each a process's work for a while.

    begin ─► gather a shard, side by side ─► merge ─► scatter a shard, side by side ─► conclude

What a step hands to the next is a parcel in the state, and the first one of a name stays; so a step may be delivered
twice, late, or to two processes at once. `errand` is what each step is told, `rows` the form of parcels, `once` how a
step that writes is kept from being done twice; the others are a step each.
"""
