"""Agents' state and outputs in Redis, and events out of its streams. See `docs/redis.md`."""
