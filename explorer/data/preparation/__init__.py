"""From a drawing or a photograph to 28x28, one step a function."""
