"""Parts of the page Inside: one module a section."""
