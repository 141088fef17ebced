"""What people see: documents in, terminal text, Markdown and HTML out."""
