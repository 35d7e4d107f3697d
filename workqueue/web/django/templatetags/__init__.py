"""7 django templatetags: what ``{% load %}`` finds."""
