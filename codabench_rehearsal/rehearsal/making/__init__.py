"""A challenge made from a data set: a bundle with hidden sets, programs, pages and a kit."""
