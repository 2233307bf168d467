"""What two pages need: values in the URL, numbers, figures, pickers, messages, what is kept."""
