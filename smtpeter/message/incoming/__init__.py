"""What comes back by mail: reports, errors, complaints, answers. Pure: texts in, values out."""
