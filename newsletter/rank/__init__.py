"""Which papers, in which order, for whom. All pure."""
