"""The always-on service: Faust agents, their state, order, metrics and health."""
