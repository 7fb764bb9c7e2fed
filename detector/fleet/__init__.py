"""Is this unusual for *anyone*? What a tenant's whole population does, learned from closed windows."""
