"""Fixtures that every tier shares."""
