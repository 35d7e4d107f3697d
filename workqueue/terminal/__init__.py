"""What a person sees on a terminal. The command line and the demo both draw `bar`."""
