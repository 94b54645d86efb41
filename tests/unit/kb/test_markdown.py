import subprocess
import sys

import pytest

from kb.sources.markdown import readable


def read(markdown: str) -> str:
    return readable(markdown, {"note.md": "Ask first."}.get)


@pytest.mark.parametrize(
    ("written", "as_read"),
    [
        ("Press **Save** and *wait*.", "Press Save and wait."),
        ("Select **Finder **> **Go**.", "Select Finder > Go."),
        ("Run **`gpupdate /force`** now.", "Run `gpupdate /force` now."),
        ("`a**b**c` stays", "`a**b**c` stays"),
        ("a stray ` here\n\n**bold** there ` too", "a stray ` here\n\nbold there ` too"),
        ("See [the guide](../guide.md).", "See the guide."),
        ("See [the portal](https://example.com/a).", "See the portal (https://example.com/a)."),
        ("See [https://example.com](https://example.com).", "See https://example.com."),
        ("![The Save button](img/a.png)", "(Image: The Save button)"),
        (':::image type="content" source="a.png" alt-text="The tray.":::', "(Image: The tray)"),
        ("> [!NOTE]\n> Close it first.", "Note: Close it first."),
        ('[!div class="nextstepaction"]\n[Run it](https://example.com)', "Run it (https://example.com)"),
        ("One<br/>two&nbsp;three <b>four</b>", "One two three four"),
        ("before<!-- never\nshown -->after", "beforeafter"),
        ("[!INCLUDE [x](note.md)]", "Ask first."),
        ("a [!INCLUDE [x](missing.md)] b", "a  b"),
        ("Use <username> here", "Use <username> here"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("```\n**kept** <!-- too -->\n```", "```\n**kept** <!-- too -->\n```"),
        ("a\r\nb\r\n\r\n\r\n\r\nc", "a\nb\n\nc"),
    ],
)
def test_markdown_reads_as_it_was_meant(written: str, as_read: str) -> None:
    assert read(written) == as_read


def test_line_of_inline_code_opens_no_block() -> None:
    assert read("```a``` and **b**") == "```a``` and b"


HOSTILE = [
    "![",
    "[",
    "`a ``b ",
    "**a ",
    "__a ",
    "<!--",
    "<a ",
    "_a ",
    "[![",
    "> [!NOTE]\n",
    "[x](",
    "[[b] ",
    "[!INCLUDE [",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_megabytes_of_broken_markup_take_seconds_not_hours(piece: str) -> None:
    # In a process of its own: a regular expression that runs away lets no thread stop it.
    code = "import sys; from kb.sources.markdown import readable; readable(sys.argv[1] * 150_000, lambda _: None)"
    subprocess.run([sys.executable, "-c", code, piece], timeout=20, check=True)
