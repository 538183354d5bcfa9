"""The deep linear features model: cross-entropy or squared error on free features behind several linear layers."""
