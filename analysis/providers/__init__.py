"""Metric providers: one file each; `PROVIDERS` is the one table."""
