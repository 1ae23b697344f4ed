"""Temporal on the same work, for comparison in the same run."""
