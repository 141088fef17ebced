"""Pure functions from a BudgetSpec to a Plan: laws, shape, hyper-parameters, cost, layout."""
