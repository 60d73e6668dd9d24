"""What is measured: each metric says what one outcome gives, and how outcomes make a number."""
