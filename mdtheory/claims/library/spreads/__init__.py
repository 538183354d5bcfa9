"""The test error of a dilated cluster, spread by spread."""
