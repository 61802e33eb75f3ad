"""Steady user traffic for the sandbox, and who answered it."""
