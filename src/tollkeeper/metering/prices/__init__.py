"""What models cost: the operator's own prices, and pricing anew."""
