"""HTTP: routes, sign-in, sessions, actions, audit."""
