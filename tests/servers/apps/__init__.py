"""Applications that the tests serve, by real servers, in processes of their own."""
