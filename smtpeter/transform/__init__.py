"""What is done to a message on its way out: a pipeline, and a module for each stage."""
