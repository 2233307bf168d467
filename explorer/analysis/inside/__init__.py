"""What goes on inside a network: its weights, what its layers answer, and what each unit is good for."""
