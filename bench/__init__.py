"""The budgets of the design, measured: each beside the floor of the same run."""
