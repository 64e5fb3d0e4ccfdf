"""How do recorded jobs become a data set that other programs read? One schema, and a writer for each form."""
