"""A bundle → the same training again, and what that shows: identical, equivalent, not reproduced, or not known."""
