"""Where values live: the contract of a source, and sources in memory and around others."""
