"""Which of two losses dilates less, and where."""
