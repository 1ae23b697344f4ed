"""Headgate: a stateful streaming runtime for AI agents, in Python on Apache Flink."""
