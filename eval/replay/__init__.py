"""What a change of rules would have made of past tickets: both decisions on each, and what matters of it."""
