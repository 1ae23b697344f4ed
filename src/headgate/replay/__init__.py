"""Past turns: recorded with all they came of, and put to another revision apart from what runs."""
