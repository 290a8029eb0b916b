"""HTML of the Markdown in which the guides are written: headings, paragraphs, lists, tables, code, links, emphasis."""

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Final

_HEADING: Final = re.compile(r"(#{1,3}) (.+)")
_ITEM: Final = re.compile(r"(?:-|(\d+)\.) (.+)")
_INLINE: Final = re.compile(r"`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)|\*\*([^*]+)\*\*|\*([^*]+)\*")
_FENCE: Final = "```"

Link = Callable[[str], str]
"""Returns the address for the target of a link."""


def render_markdown(text: str, link: Link) -> str:
    """Return the HTML of a text. Anything that is not one of these forms stands in it as it is, escaped."""
    return "\n".join(_render_blocks(iter(text.splitlines()), link))


def _render_blocks(lines: Iterator[str], link: Link) -> Iterator[str]:
    block: list[str] = []
    for line in lines:
        if line.startswith(_FENCE):
            yield from _render_block(block, link)
            code = "\n".join(iter(lambda: next(lines, _FENCE), _FENCE))
            command, output = _split_console(code) if line == _FENCE + "console" else (code, "")
            yield f'<div class="sample"><pre tabindex="0"><code>{escape(command)}</code></pre></div>'
            if output.strip("… \n"):
                yield f'<pre class="output" tabindex="0"><code>{escape(output)}</code></pre>'
            block = []
        elif line.strip():
            block.append(line)
        else:
            yield from _render_block(block, link)
            block = []
    yield from _render_block(block, link)


def _split_console(code: str) -> tuple[str, str]:
    """Return the command of a console and what it printed. A command ends outside of quotes and continued lines."""
    lines = code.removeprefix("$ ").splitlines()
    command = ""
    for number, line in enumerate(lines, 1):
        command += line
        if command.count("'") % 2 == 0 and not line.endswith("\\"):
            return command, "\n".join(lines[number:])
        command += "\n"
    return command, ""


def _render_block(lines: list[str], link: Link) -> Iterator[str]:
    """Yield the HTML of the lines between two blank ones."""
    if not lines:
        return
    if heading := _HEADING.fullmatch(lines[0]):
        level = len(heading[1])
        anchor = re.sub(r"[^a-z0-9]+", "-", heading[2].lower()).strip("-")
        yield f'<h{level} id="{anchor}">{_render_line(heading[2], link)}</h{level}>'
        yield from _render_block(lines[1:], link)
    elif lines[0].startswith("|"):
        yield _render_table(lines, link)
    elif first := _ITEM.fullmatch(lines[0]):
        name = "ol" if first[1] else "ul"
        items: list[str] = []
        for line in lines:
            if item := _ITEM.fullmatch(line):
                items.append(item[2])
            else:
                items[-1] += f" {line.strip()}"
        yield f"<{name}>{''.join(f'<li>{_render_line(item, link)}</li>' for item in items)}</{name}>"
    else:
        yield f"<p>{_render_line(' '.join(lines), link)}</p>"


def _render_table(lines: list[str], link: Link) -> str:
    head, _, *rows = ([_render_line(cell.strip(), link) for cell in line.strip("|").split("|")] for line in lines)
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="table"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _render_line(text: str, link: Link) -> str:
    """Return the HTML of a line: code, links and emphasis."""
    parts, end = [], 0
    for match in _INLINE.finditer(text):
        parts.append(escape(text[end : match.start()]))
        code, label, target, strong, emphasis = match.groups()
        if code:
            parts.append(f"<code>{escape(code)}</code>")
        elif target:
            parts.append(f'<a href="{escape(link(target))}">{_render_line(label, link)}</a>')
        else:
            name = "strong" if strong else "em"
            parts.append(f"<{name}>{_render_line(strong or emphasis, link)}</{name}>")
        end = match.end()
    return "".join((*parts, escape(text[end:])))
