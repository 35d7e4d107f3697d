"""7 django templatetags workqueue: what is asked for -> the element that shows how it goes."""

from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def workqueue_progress(label: str = "", **fields: object) -> SafeString:
    """``{% workqueue_progress label="Building the index" corpus="enron" year=2001 %}`` -> the element, and its module.

    Args:
        label: the name of the bar; empty: the element's own.
        **fields: what is asked for. They stand in an address, which ends up in logs: a page gives what is secret by
            the element's property `request`.
    """
    address = reverse("workqueue:generate")
    if fields:
        address += f"?{urlencode(fields)}"
    return format_html(
        '<script type="module" src="{}"></script>\n<workqueue-progress src="{}"{}></workqueue-progress>',
        reverse("workqueue:module"),
        address,
        format_html(' label="{}"', label) if label else "",
    )
