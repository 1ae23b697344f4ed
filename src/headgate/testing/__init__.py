"""Test support for projects that build on Headgate."""
