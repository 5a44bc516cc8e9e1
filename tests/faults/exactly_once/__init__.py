"""Instances that are killed, stopped and moved about under a topology whose every output an oracle recomputes.

In the manner of Kafka's EosTestDriver and EosTestClient, with joins, windows, state and zombies besides:
`python -m tests.faults.exactly_once --help`.
"""
