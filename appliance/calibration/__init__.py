"""How does a robot's twin come to match its robot? Recordings, fit, judgement, report."""
