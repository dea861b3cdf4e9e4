"""Who may come in: keys, tokens, roles, limits. Closed by default; see docs/security.md."""
