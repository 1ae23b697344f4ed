"""What is configured so that it will hurt: facts are gathered, pure rules read them."""
