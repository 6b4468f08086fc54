"""Where papers come from: sources behind one Protocol, and the repair of what they tell."""
