"""The AnalysisRun controller."""
