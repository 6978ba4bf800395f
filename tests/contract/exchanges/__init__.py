"""The exchanges, a module for each topic."""
