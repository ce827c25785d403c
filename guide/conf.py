"""Sphinx's settings for the guide. The theme, Furo, asks nothing of other hosts."""

project = "Simple Mustache Service"
html_title = project
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
# The anchors that GitHub gives headings.
myst_heading_anchors = 4
# Blocks of code that name no language are commands and drawings.
highlight_language = "none"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["guide.css"]
html_last_updated_fmt = "%Y-%m-%d"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
