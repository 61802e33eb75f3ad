"""Workload controllers of the sandbox: what kube-controller-manager does on a real control plane."""
