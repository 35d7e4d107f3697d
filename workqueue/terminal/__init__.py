"""What a person sees on a terminal: `bar`, which the command line and the demo both draw."""
