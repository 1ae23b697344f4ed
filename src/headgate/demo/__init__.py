"""What `headgate demo` is made of."""
