"""Measuring and judging: the condition language, metric providers, AnalysisRuns."""
