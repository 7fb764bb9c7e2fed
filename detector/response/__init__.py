"""What a crisis cell hands on: clocks, drafts, measures, suppliers, the case file."""
