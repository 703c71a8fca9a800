"""Guidelines as pages show them: Markdown in, safe HTML out."""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

# CommonMark without HTML of its own; the parser escapes text and refuses `javascript:` links.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")
DEEPEST = 6


def as_html(text: str) -> SafeString:
    """The text as HTML. Headings start one level down: the page has its own first one."""
    environment: dict[str, object] = {}
    tokens = _PARSER.parse(text, environment)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, DEEPEST)}"
    html: str = _PARSER.renderer.render(tokens, _PARSER.options, environment)
    return mark_safe(html)  # html=False: nothing of the text is markup
