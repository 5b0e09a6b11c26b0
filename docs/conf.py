"""How Sphinx builds these pages."""

import smtpeter

project = "smtpeter"
author = "the smtpeter maintainers"
copyright = f"2026, {author}"
version = release = smtpeter.__version__

master_doc = "index"
exclude_patterns = ["_build"]
nitpicky = True
html_theme = "alabaster"
html_theme_options = {
    "description": "A self-hosted mail sending service",
    "fixed_sidebar": True,
}
