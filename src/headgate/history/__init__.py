"""The history store: what every instance knew at any moment, indexed from the history topic."""
