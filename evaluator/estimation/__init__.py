"""The mathematics of the estimate. The door is `evaluator.estimate`."""
