"""Payload encryption: what users' data is sealed with, and where. See docs/encryption.md.

Outside of the core, which never sees a key: bytes are sealed on their way out of the process and
opened on their way in. Imports `cryptography` only where something is sealed or opened.
"""
