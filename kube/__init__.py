"""The runtime: client, stores, informers, work queue, controller, executor, leases, events, auth.

Knows Kubernetes; knows nothing of rollouts.
"""
