"""Services that are killed, stopped and cut off, beside a checker that reads what they wrote and printed."""
