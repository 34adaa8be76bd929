"""What the store is made of: its file, its rows, its errors. The door is `evaluator.store`."""
