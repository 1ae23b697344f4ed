"""Upgrades of a running job: stop with a savepoint, start another version from it, or go back."""
