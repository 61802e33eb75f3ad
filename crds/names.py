"""Labels and annotations that are part of the API: several packages read them, and other tools too.

Must not: know who writes them. Needs no pydantic, so that it is quick to load.
"""

POD_TEMPLATE_HASH = "rollouts-pod-template-hash"
"""On ReplicaSets, pods, AnalysisRuns and in what selects pods: which version this is."""
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"
"""On Services and DestinationRules: the name of the Rollout that writes into them."""
