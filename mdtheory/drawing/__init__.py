"""Pictures of phase diagrams, losses and configurations. matplotlib loads on first use."""
