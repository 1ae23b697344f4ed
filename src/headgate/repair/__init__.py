"""What a checkpoint covers, what of it is missing in the output topics, and writing it again."""
