"""What we decide about a ticket: predictions, drafts, handoffs, suggestions."""
