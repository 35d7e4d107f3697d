"""What is published: the archives, what they say of themselves, and what tests each change."""
