"""What runs in shards cost at sizes that nobody here has: the real workflow and the real steps, counted.

`table` and `company` count what small runs ask of the state, `durable` what the host does for a workflow, `model` puts
them together with `assumptions` and what docs/performance.md has measured; `merging` measures what a merge holds.
"""
