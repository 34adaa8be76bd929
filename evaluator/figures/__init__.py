"""The report as matplotlib figures. The door is `figures.figure`."""
