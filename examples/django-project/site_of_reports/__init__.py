"""A site that shows how a report comes to be."""
