"""Measurements of Headgate on this machine: `python -m benchmarks --help`, docs/benchmarks.md."""
