"""Setting up a list: its first files, keys and DNS records, and what runs it by itself."""
