"""What an analysis would have said about the past: reading a metric's history, judging it, running runs over it, telling it.

client.py asks Prometheus and is the only module that imports prometheus-api-client; everything else is pure. Must not: be part of
a measurement; those go through `analysis/providers` and `analysis/transport.py`.
"""
