"""The shell's `mdtheory`: arguments, tables, phase diagrams, the report and the ledger's page."""
