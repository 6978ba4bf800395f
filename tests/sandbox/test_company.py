"""The sample company: the same for a seed, of the wanted size, and believable in every table."""
