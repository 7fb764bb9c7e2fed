"""Is this unusual for *anyone*? The behaviour of a tenant's population, learned from closed windows."""
