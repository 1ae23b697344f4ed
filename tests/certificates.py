"""Certificates made for a test: an authority, what it vouches for, and a stranger's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


def make_certificates(folder: Path, *names: str) -> Path:
    """Make `ca.crt`, `stranger.crt` and for each name `NAME.crt` and `NAME.key` for loopback, all
    PEM, in a folder; skips the test where there is no openssl.
    """
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for ca in ("ca", "stranger"):
        named = ("-subj", f"/CN={ca}", "-days", "2")
        openssl("req", "-x509", *EC, *named, "-keyout", f"{ca}.key", "-out", f"{ca}.crt")
    for name in names:
        (folder / "san").write_text("subjectAltName=DNS:agent.test,DNS:localhost,IP:127.0.0.1")
        openssl("req", *EC, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "csr")
        openssl(
            *("x509", "-req", "-in", "csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-days", "2", "-extfile", "san", "-out", f"{name}.crt"),
        )
    return folder
