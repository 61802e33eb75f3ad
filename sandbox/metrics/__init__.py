"""Prometheus in a box: the server, its targets, and the metrics that ingress-nginx and Istio would expose."""
