"""A newsletter of trending research papers: picked, rendered and delivered, each reader exactly once."""

__version__ = "0.1.0"
