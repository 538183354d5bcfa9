"""From the features of a trained network to the quantities of the theory."""
