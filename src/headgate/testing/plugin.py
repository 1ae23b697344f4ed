"""The pytest plugin that Headgate registers: fixtures for users' own tests.

Pytest loads it in every project that has Headgate installed, so it must stay cheap to import.
"""
