"""Where the model is, and the key to it: from the environment, and told to nobody."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the model is. The key is left out of this object's text, so that no log shows it."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 60.0

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read CHAT_BASE_URL, CHAT_MODEL, CHAT_API_KEY or CHAT_API_KEY_FILE, CHAT_TIMEOUT_SECONDS.

        Raises:
            SystemExit: one is missing or wrong; the message says which.
        """
        missing = [name for name in ("CHAT_BASE_URL", "CHAT_MODEL") if not environment.get(name)]
        if missing:
            message = f"not set: {', '.join(missing)}"
            raise SystemExit(message)
        url = environment["CHAT_BASE_URL"].rstrip("/")
        if not url.startswith(("http://", "https://")):
            message = "CHAT_BASE_URL does not begin with http:// or https://"
            raise SystemExit(message)
        key, path = environment.get("CHAT_API_KEY", ""), environment.get("CHAT_API_KEY_FILE")
        if path:
            try:
                key = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                message = f"CHAT_API_KEY_FILE: {error}"
                raise SystemExit(message) from None
        try:
            timeout = float(environment.get("CHAT_TIMEOUT_SECONDS", "60"))
        except ValueError:
            message = "CHAT_TIMEOUT_SECONDS is not a number"
            raise SystemExit(message) from None
        return cls(url, environment["CHAT_MODEL"], key, timeout)
