"""The tables of the sandbox: what they are, how files describe them, which there are."""
