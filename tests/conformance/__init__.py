"""What every implementation of a seam promises, tested for each."""
