"""Formulas of Office documents in one line, such as `x=(−b±√(b^2−4ac))/(2a)`."""

from __future__ import annotations

from xml.etree.ElementTree import Element

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def linear(node: Element) -> str:
    """Return a formula, or a part of one, in one line."""
    name = node.tag.removeprefix(M)
    if name == "t":
        return node.text or ""
    match name:
        case "f":
            return f"{_group(node, 'num')}/{_group(node, 'den')}"
        case "sSup" | "sSub" | "sSubSup":
            return _part(node, "e") + _scripts(node)
        case "sPre":
            return _scripts(node) + _part(node, "e")
        case "rad":
            return f"{_part(node, 'deg')}√{_group(node, 'e', always=True)}"
        case "nary":
            return f"{_character(node, 'chr', '∫')}{_scripts(node)} {_part(node, 'e')}"
        case "limLow":
            return f"{_part(node, 'e')}_{_group(node, 'lim')}"
        case "limUpp":
            return f"{_part(node, 'e')}^{_group(node, 'lim')}"
        case "d":
            inside = _character(node, "sepChr", "|").join(linear(part) for part in node.findall(f"{M}e"))
            return f"{_character(node, 'begChr', '(')}{inside}{_character(node, 'endChr', ')')}"
        case "m":
            rows = (", ".join(linear(cell) for cell in row) for row in node.findall(f"{M}mr"))
            return f"[{'; '.join(rows)}]"
        case "eqArr":
            return "; ".join(linear(part) for part in node.findall(f"{M}e"))
    # Text within a formula may be a run of the document.
    own = node.text or "" if node.tag.endswith("}t") else ""
    return own + "".join(linear(child) for child in node if not child.tag.endswith("Pr"))


def _part(node: Element, name: str) -> str:
    found = node.find(M + name)
    return "" if found is None else linear(found)


def _group(node: Element, name: str, *, always: bool = False) -> str:
    text = _part(node, name)
    return f"({text})" if len(text) > 1 or always else text


def _scripts(node: Element) -> str:
    below, above = _group(node, "sub"), _group(node, "sup")
    return f"_{below}" * bool(below) + f"^{above}" * bool(above)


def _character(node: Element, name: str, usual: str) -> str:
    found = node.find(f"{M}{node.tag.removeprefix(M)}Pr/{M}{name}")
    return usual if found is None else found.attrib.get(f"{M}val", "")
