"""From ready messages to a relay, with the ledger told of each step."""
