"""Spans of turns: from the history to an OTLP collector. See docs/tracing.md."""
