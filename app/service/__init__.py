"""The Simple Mustache Service: the Django project around the picture core."""
