"""What the mirror costs, measured: run `python -m tests.bench`, or `make bench` for the document.

Read `bound` for what latency and limits allow, `server` for the Microsoft 365 that is measured against, `scenarios` for
what happens on it, `process` and `yardstick` for how a process is measured, `sequential` and `models` for the two
clients beside the mirror, `bare` for what is possible here, `targets` for what must hold, `document` and `chart` for
what is made of the numbers.
"""
