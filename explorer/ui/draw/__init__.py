"""Parts of the page Draw: what is on the canvas, what the models say of it, and what can be done with it."""
