"""Which files are meant, and what is sent of each."""

from __future__ import annotations

import glob
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.inputs import UnsupportedInput, expand, file_hash, read, scan, scan_files
from umwelten.inputs.convert.dispatch import convert
from umwelten.phrases import Wording
from umwelten.types import Media, Text


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"in {name}")
    return root


def names(root: Path, pattern: str = "*", **options: object) -> list[str]:
    return [found.name for found in scan(root, pattern, **options)]  # type: ignore[arg-type]


# --- which files are meant -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "recursive", "expected"),
    [
        ("*", False, ["a.jpg", "b.png", "c.JPG"]),
        ("*.jpg", False, ["a.jpg"]),
        ("*.jpg", True, ["a.jpg", "sub/a.jpg", "sub/deep/d.jpg"]),
        ("*.{jpg,png}", False, ["a.jpg", "b.png"]),
        ("{a,b}.{jpg,png}", False, ["a.jpg", "b.png"]),
        ("**/*.txt", False, ["sub/e.txt"]),
        ("**/*.jpg", False, ["a.jpg", "sub/a.jpg", "sub/deep/d.jpg"]),
        ("**", False, ["a.jpg", "b.png", "c.JPG", "sub/a.jpg", "sub/deep/d.jpg", "sub/e.txt"]),
        ("sub/*.jpg", False, ["sub/a.jpg"]),
        ("sub/*.jpg", True, ["sub/a.jpg"]),
        ("./*.jpg", True, ["a.jpg"]),
        ("*/*/*", False, ["sub/deep/d.jpg"]),
        ("{sub,none}/{a,e}.*", False, ["sub/a.jpg", "sub/e.txt"]),
        ("[ab].*", False, ["a.jpg", "b.png"]),
        ("[!ab].*", False, ["c.JPG"]),
        ("?.png", False, ["b.png"]),
    ],
)
def test_a_pattern_means_what_its_form_says(
    tmp_path: Path, pattern: str, recursive: bool, expected: list[str]
) -> None:
    make(tmp_path, "a.jpg", "b.png", "c.JPG", "sub/a.jpg", "sub/e.txt", "sub/deep/d.jpg")
    assert names(tmp_path, pattern, recursive=recursive) == expected


PLAIN = ["a", "b", "ab", ".h", "a.txt", "b.jpg", ".x.txt", "A.TXT", "c[1].txt", "é.txt", "a b", "new\nline"]
FOLDERS = ["a", "b", "ab", ".h", "sub"]
PIECES = ["*", "?", "a*", "*.txt", "[ab]", "[!a]*", ".*", ".h", "a", "b", "a?", "*[]]*", "[[]*", "**", "*b"]


@st.composite
def trees(draw: st.DrawFn) -> set[str]:
    paths = draw(
        st.sets(
            st.builds(
                lambda folders, name: "/".join([*(f"{f}.d" for f in folders), name]),
                st.lists(st.sampled_from(FOLDERS), max_size=3),
                st.sampled_from(PLAIN),
            ),
            max_size=8,
        )
    )
    return {path.replace(".d/", "/") if draw(st.booleans()) else path for path in paths}


@settings(max_examples=80, deadline=None)
@given(tree=trees(), pieces=st.lists(st.sampled_from([*PIECES, "*.d"]), min_size=1, max_size=4))
def test_patterns_agree_with_the_standard_librarys_glob(tree: set[str], pieces: list[str]) -> None:
    pattern = "/".join(pieces)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in tree:
            blocked = any((root / parent).is_file() for parent in PurePosixPath(path).parents)
            if not blocked and not (root / path).is_dir():
                make(root, path)
        found = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - pathlib shows hidden files
        # With ** at its end, theirs takes a file for a folder with nothing in it, and names it with a slash.
        theirs = {path for path in found if (root / path).is_file() and not path.endswith("/")}
        try:
            ours = names(root, pattern)
        except InputError as error:
            assert "no file in" in error.message
            ours = []
        assert ours == sorted({str(PurePosixPath(path)) for path in theirs}, key=lambda p: p.split("/"))


def test_files_come_in_the_order_of_their_paths_parts(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt", "a-b/x.txt", "B.txt", "a.txt", "10.txt", "9.txt")
    expected = ["10.txt", "9.txt", "B.txt", "a/b/c.txt", "a/z.txt", "a-b/x.txt", "a.txt", "b.txt"]
    assert names(tmp_path, "*", recursive=True) == expected
    assert names(tmp_path, "*", recursive=True, max_files=3) == expected[:3]


def test_the_scan_reads_no_further_than_it_is_asked(tmp_path: Path) -> None:
    make(tmp_path, "a/1.txt", "b/2.txt")
    found = scan(tmp_path, "**/*.txt")
    assert next(found).name == "a/1.txt"
    make(tmp_path, "b/3.txt")  # made after the scan began, before it reached the folder
    assert [rest.name for rest in found] == ["b/2.txt", "b/3.txt"]


def test_hidden_files_and_folders_only_when_the_pattern_names_them(tmp_path: Path) -> None:
    make(tmp_path, ".env", "a.txt", ".git/config", ".git/b.txt", "sub/.c.txt")
    assert names(tmp_path, "*", recursive=True) == ["a.txt"]
    assert names(tmp_path, "{?env*,[.]env,a.txt}", recursive=True) == ["a.txt"]
    assert names(tmp_path, ".*", recursive=True) == [".env", "sub/.c.txt"]
    assert names(tmp_path, ".git/*") == [".git/b.txt", ".git/config"]
    assert names(tmp_path, "{.env,*.txt}") == [".env", "a.txt"]


@pytest.mark.parametrize("pattern", ["*", "evaluation.*", "**/*", "evaluation.db", "*.umwelten-tmp", ".*"])
def test_umweltens_own_files_are_never_inputs(tmp_path: Path, pattern: str) -> None:
    make(
        tmp_path,
        "evaluation.db",
        "evaluation.db-wal",
        "evaluation.db-shm",
        "evaluation.lock",
        "a.txt.umwelten-tmp",
        ".evaluation.tmp",
        "sub/evaluation.db",
    )
    (tmp_path / "evaluation.link").symlink_to(tmp_path / "evaluation.db")
    with pytest.raises(InputError):
        names(tmp_path, pattern, recursive=True)


def test_an_excluded_folder_is_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "output/x/a.txt.txt", "output/y/b.txt")
    (tmp_path / "alias").symlink_to(tmp_path / "output")
    assert names(tmp_path, "*.txt", recursive=True, exclude=[tmp_path / "alias" / "x"]) == [
        "a.txt",
        "output/y/b.txt",
    ]
    assert names(tmp_path, "*.txt", recursive=True, exclude=[tmp_path / "none"])[0] == "a.txt"


def test_links_are_followed_to_files_inside_and_to_nothing_else(tmp_path: Path) -> None:
    root = make(tmp_path / "in", "a.txt", "sub/b.txt")
    make(tmp_path / "out", "secret.txt")
    (root / "good.txt").symlink_to("sub/b.txt")
    (root / "out.txt").symlink_to(tmp_path / "out" / "secret.txt")
    (root / "nowhere.txt").symlink_to("gone")
    (root / "circle.txt").symlink_to("circle.txt")
    (root / "folder").symlink_to(tmp_path / "out")
    (root / "loop").symlink_to(root)
    notes: list[Wording] = []
    found = list(scan(root, "*", recursive=True, on_note=notes.append))
    assert [f.name for f in found] == ["a.txt", "good.txt", "sub/b.txt"]
    assert found[1].size == len("in sub/b.txt")
    (note,) = map(str, notes)
    assert "1 symbolic link that leads out of the directory ('out.txt')" in note
    assert "2 symbolic links to folders ('folder', …)" in note
    assert (
        "1 broken symbolic link ('nowhere.txt'), 1 symbolic link that leads to itself ('circle.txt')" in note
    )
    assert str(tmp_path / "out") in note  # where to find them


def test_a_folder_of_links_that_lead_out_is_an_error_that_says_so(tmp_path: Path) -> None:
    root = make(tmp_path / "in", ".hidden")
    make(tmp_path / "blobs", "1", "2")
    (root / "a.txt").symlink_to("../blobs/1")
    (root / "b.txt").symlink_to("../blobs/2")
    said = message(scan, root, "*")
    assert "2 symbolic links that lead out of the directory ('a.txt', …), 1 hidden file" in said
    assert f"({tmp_path / 'blobs'})" in said
    assert "2 symbolic links, such as 'a.txt'" in message(scan, root, "*.jpg")
    assert "symbolic links that lead out" in message(expand, f"{root}/*.txt", tmp_path)
    assert [f.size for f in scan_files(expand(f"{root}/a.txt", tmp_path))] == [len("in 1")]  # named: followed


def test_links_that_a_glob_in_a_list_leaves_out_are_told(tmp_path: Path) -> None:
    make(tmp_path, "in/a.txt", "b.txt")
    (tmp_path / "in" / "b.txt").symlink_to("../b.txt")
    notes: list[Wording] = []
    assert expand("in/*.txt", tmp_path, notes.append) == [tmp_path / "in" / "a.txt"]
    assert "1 symbolic link that leads out" in str(notes[0])


def test_files_whose_names_differ_from_the_pattern_in_capitals_are_told(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "b.JPG", "c.Jpg", "d.txt", "sub/e.JPG")
    notes: list[Wording] = []
    assert names(tmp_path, "*.jpg", recursive=True, on_note=notes.append) == ["a.jpg"]
    assert "3 files match '*.jpg' but for capital letters, and are left out, such as 'b.JPG'" in str(notes[0])
    notes.clear()
    assert len(names(tmp_path, "*.[jJ][pP][gG]", on_note=notes.append)) == 3
    assert len(names(tmp_path, "*", on_note=notes.append)) == 4
    assert notes == []


NFC, NFD = "Gr\u00f6\u00dfe.txt", "Gro\u0308\u00dfe.txt"


@pytest.mark.parametrize(("on_disk", "typed"), [(NFC, NFD), (NFD, NFC)])
def test_accents_may_be_typed_in_another_form_than_on_disk(tmp_path: Path, on_disk: str, typed: str) -> None:
    make(tmp_path, f"{on_disk}.d/{on_disk}", on_disk)
    assert names(tmp_path, typed) == [on_disk]
    assert names(tmp_path, typed.replace("e.", "?.")) == [on_disk]
    assert names(tmp_path, "Gr??e.txt") == [on_disk]
    assert names(tmp_path, f"**/{typed}") == [on_disk, f"{on_disk}.d/{on_disk}"]
    assert names(tmp_path / f"{typed}.d") == [on_disk]
    listed = f"{typed}, {typed}.d/{typed}, {typed}.d/*.txt"
    found = [path.relative_to(tmp_path) for path in expand(listed, tmp_path)]
    assert found == [Path(on_disk), Path(f"{on_disk}.d/{on_disk}")]


def test_both_forms_of_one_name_are_two_files(tmp_path: Path) -> None:
    make(tmp_path, NFC, NFD)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("one file here")
    assert expand(NFC, tmp_path) == [tmp_path / NFC]
    assert expand(NFD, tmp_path) == [tmp_path / NFD]
    assert len(names(tmp_path, NFC)) == 2


def test_a_directory_reached_through_a_link_is_scanned(tmp_path: Path) -> None:
    make(tmp_path / "real", "a.txt")
    (tmp_path / "real" / "b.txt").symlink_to("a.txt")
    (tmp_path / "link").symlink_to("real")
    assert names(tmp_path / "link") == ["a.txt", "b.txt"]


def test_folders_links_to_folders_and_special_files_are_no_files(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "folder.txt/b.md")
    os.mkfifo(tmp_path / "fifo.txt")
    with socket.socket(socket.AF_UNIX) as server, chdir(tmp_path):
        server.bind("socket.txt")
    (tmp_path / "fifo-link.txt").symlink_to("fifo.txt")
    notes: list[str] = []
    assert names(tmp_path, "*.txt", on_note=notes.append) == ["a.txt"]
    assert notes == []


def test_the_stamp_follows_every_change_of_the_bytes(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    before = next(scan(tmp_path))
    assert before.path == str(tmp_path / "a.txt")
    assert next(scan(tmp_path)) == before
    found = Path(before.path).stat()
    Path(before.path).write_text("IN a.txt")  # same length
    os.utime(before.path, ns=(found.st_atime_ns, found.st_mtime_ns))  # and the old time put back
    assert next(scan(tmp_path)).stamp != before.stamp


@pytest.mark.skipif(sys.platform != "linux", reason="no such files here")
def test_a_file_that_holds_more_than_it_says_is_read_to_its_end() -> None:
    whole = Path("/proc/version").read_bytes()
    assert Path("/proc/version").stat().st_size == 0
    content = read("/proc/version", name="version")
    assert content.digest == content_hash(whole)
    assert whole.decode().strip() in content.parts[0].text


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names")
def test_bytes_of_a_name_that_are_not_text_are_escaped(tmp_path: Path) -> None:
    make(tmp_path, "bad\\xff.txt", "good.txt")
    for name in (b"bad\xff.txt", b"f\xe9/\xe9"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    notes: list[Wording] = []
    found = list(scan(tmp_path, recursive=True, on_note=notes.append))
    assert [file.name for file in found] == ["bad\\xff.txt", "bad\\xff-2.txt", "f\\xe9/\\xe9", "good.txt"]
    assert [Path(file.path).read_text() for file in found][1:3] == ["x", "x"]
    assert "2 file names are not UTF-8; the bytes are written as in 'bad\\xff.txt'" in str(notes[0])
    (listed,) = scan_files([Path(found[2].path)], tmp_path)
    assert listed.name == found[2].name
    assert r"'bad\\xff.txt', 'bad\xff.txt'" in message(scan, tmp_path, "*.md")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("closed", ["sub/b.txt", "sub"])
def test_an_unreadable_file_or_folder_is_an_error_that_names_it(open_folder: Path, closed: str) -> None:
    make(open_folder, "a.txt", "sub/b.txt")
    (open_folder / closed).chmod(0)
    code = (
        "import os, sys; from pathlib import Path; from umwelten.inputs import scan\n"
        "from umwelten.errors import InputError\n"
        "if os.geteuid() == 0: os.setuid(65534)  # root may read everything\n"
        "try: list(scan(Path(sys.argv[1]), '**/*.txt'))\n"
        "except InputError as error: print(error.exit_code, error.message)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(open_folder)], capture_output=True, text=True)
    (open_folder / closed).chmod(0o755)
    assert done.stdout.startswith("2 cannot read "), done.stderr
    assert str(open_folder / closed) in done.stdout


# --- errors that help ------------------------------------------------------------------------


def message(call: object, *arguments: object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        list(call(*arguments, **options))  # type: ignore[operator]
    return str(caught.value)


def test_a_missing_directory_is_named_at_once_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"no such directory: .*image\nDid you mean .*images"):
        scan(tmp_path / "image", "*")
    make(tmp_path, "file")
    with pytest.raises(InputError, match="not a directory"):
        scan(tmp_path / "file", "*")


def test_no_match_shows_what_is_there(tmp_path: Path) -> None:
    make(tmp_path, *(f"{n}.jpeg" for n in range(12)), "notes.md", "LICENSE", ".hidden.jpg")
    said = message(scan, tmp_path, "*.jpg")
    assert "matches '*.jpg'" in said
    assert "12 .jpeg, 1 no ending, 1 .md" in said
    assert "'0.jpeg'" in said
    assert ".hidden" not in said
    assert said.endswith("Did you mean '*.jpeg'?")
    assert message(scan, tmp_path, "*.JPEG").endswith("Did you mean '*.jpeg'?")
    assert message(scan, tmp_path, "*.jpgg").endswith("Did you mean '*.jpeg'?")
    assert "Did you mean" not in message(scan, tmp_path, "*.docx")


def test_no_match_says_so_when_matches_lie_deeper(tmp_path: Path) -> None:
    make(tmp_path, "sub/a.jpg")
    assert "add recursive" in message(scan, tmp_path, "*.jpg")
    assert "add recursive" not in message(scan, tmp_path, "other/*.jpg")


def test_an_empty_directory_is_said_to_be_empty(tmp_path: Path) -> None:
    assert "it contains no files" in message(scan, tmp_path, "*")


@pytest.mark.parametrize(
    "pattern", ["", ".", "/", "/etc/*", "../*", "a/../b", "a/", "**.txt", "a**", "{a,{b,c}}", "{a,b}" * 12]
)
def test_a_pattern_that_can_mean_nothing_is_refused_at_once(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "a.txt")
    with pytest.raises(InputError):
        scan(tmp_path, pattern)


def test_braces_without_a_list_are_plain_characters(tmp_path: Path) -> None:
    make(tmp_path, "{a}.txt", "a{b.txt", "x,y.txt")
    assert names(tmp_path, "{a}.txt") == ["{a}.txt"]
    assert names(tmp_path, "a{b.*") == ["a{b.txt"]
    assert names(tmp_path, "*[{,}]*") == ["a{b.txt", "x,y.txt", "{a}.txt"]


# --- files named one by one ------------------------------------------------------------------


def test_a_list_of_files_holds_paths_and_globs_in_the_order_given(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "a.txt", "img/1.jpg", "img/2.png", "img/deep/3.jpg", "with, comma.txt")
    assert expand(" b.txt , *.txt,img/*.{jpg,png}", tmp_path) == [
        tmp_path / name for name in ["b.txt", "a.txt", "with, comma.txt", "img/1.jpg", "img/2.png"]
    ]
    assert expand("with, comma.txt", tmp_path) == [tmp_path / "with, comma.txt"]
    assert expand(f"{tmp_path}/img/**/*.jpg", Path("/")) == [
        tmp_path / "img/1.jpg",
        tmp_path / "img/deep/3.jpg",
    ]


def test_a_file_whose_name_looks_like_a_glob_is_meant_as_it_is(tmp_path: Path) -> None:
    make(tmp_path, "scan[1].jpg", "scan1.jpg")
    assert expand("scan[1].jpg", tmp_path) == [tmp_path / "scan[1].jpg"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("repot.txt", r"no such file: .*repot\.txt\nDid you mean .*report\.txt"),
        ("report.txt,none/at/all", r"no such file: .*none/at/all\nThere is no folder .*none/at\.$"),
        ("sub/scan.jpeg", r"no such file: .*sub/scan\.jpeg\n.*sub contains a\.txt\.$"),
        ("su/a.txt", r"no such file: .*su/a\.txt\nThere is no folder .*su; did you mean .*sub\?$"),
        ("*.jpg", r"no file in .* matches '\*\.jpg'"),
        (" , ", "empty"),
        ("", "empty"),
        ("sub", "is a folder"),
        ("pipe", "not a regular file"),
        ("x" * 5000, "no such file"),
    ],
)
def test_a_list_that_names_no_file_is_an_error_that_says_why(tmp_path: Path, text: str, said: str) -> None:
    make(tmp_path, "report.txt", "sub/a.txt")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=said):
        expand(text, tmp_path)


def test_names_of_listed_files_lead_nowhere_else_and_are_unique(tmp_path: Path) -> None:
    base = make(tmp_path / "base", "a.txt", "sub/b.txt", "up/a.txt", "odd..name.txt").resolve()
    outside = make(tmp_path / "base2", "a.txt").resolve() / "a.txt"
    given_paths = [
        Path("a.txt"),
        base / "sub" / "b.txt",
        Path("up/a.txt"),
        Path("../base2/a.txt"),
        outside,
        Path("sub/../a.txt"),
        Path("odd..name.txt"),
    ]
    with chdir(base):
        found = list(scan_files(given_paths))
    assert [f.name for f in found] == [
        "a.txt",
        "sub/b.txt",
        "up/a.txt",
        "up/base2/a.txt",
        str(outside)[1:],
        "a-2.txt",
        "odd..name.txt",
    ]
    assert [f.path for f in found] == [str(path) for path in given_paths]


def test_a_listed_file_that_is_gone_is_named(tmp_path: Path) -> None:
    assert "gone.txt" in message(scan_files, [tmp_path / "gone.txt"])
    assert "not a regular file" in message(scan_files, [tmp_path])


# --- what is sent ----------------------------------------------------------------------------


def sent(tmp_path: Path, data: bytes, name: str = "f.bin") -> Text | Media:
    path = tmp_path / "file"
    path.write_bytes(data)
    content = read(path, name=name)
    (part,) = convert(content.convert).parts if content.convert is not None else content.parts
    return part


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a\x01\x00\x01\x00", "image/gif"),
        (b"GIF87a\x01\x00\x01\x00", "image/gif"),
    ],
)
def test_a_picture_is_known_by_its_bytes_whatever_its_name(tmp_path: Path, head: bytes, mime: str) -> None:
    assert sent(tmp_path, head, "letter.txt") == Media(mime=mime, data=head, name="letter.txt")


@pytest.mark.parametrize(
    "data",
    [
        "Grüße, naïve café ☕".encode(),
        "Grüße, naïve café ☕".encode("utf-8-sig"),
        "Grüße, naïve café ☕".encode("utf-16"),
        b"\xfe\xff" + "Grüße, naïve café ☕".encode("utf-16-be"),
        "Grüße, naïve café ☕".encode("utf-32"),
    ],
)
def test_text_is_read_in_the_encoding_its_bytes_show(tmp_path: Path, data: bytes) -> None:
    expected = "File: sub/n.txt\n<content>\nGrüße, naïve café ☕\n</content>"
    assert sent(tmp_path, data, "sub/n.txt") == Text(text=expected)


def test_text_of_an_older_windows_is_read_as_such(tmp_path: Path) -> None:
    part = sent(tmp_path, "“Grüße” – 5 €".encode("cp1252"))
    assert isinstance(part, Text)
    assert "“Grüße” – 5 €" in part.text


@pytest.mark.parametrize("data", [b"", b" \r\n\t", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_an_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnsupportedInput, match=r"e\.txt is empty"):
        sent(tmp_path, data, "e.txt")


@given(text=st.text(alphabet=st.sampled_from("ab<>/\n ") | st.sampled_from("content-1</>"), max_size=60))
@settings(max_examples=80, deadline=None)
def test_no_text_can_close_its_own_delimiter(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for body in (f"{text}.", f"{text}</content>{text}</content-1>"):
            part = sent(Path(folder), body.encode(), "x")
            assert isinstance(part, Text)
            heading, opening, rest = part.text.split("\n", 2)
            closing = "</" + opening[1:]
            assert heading == "File: x"
            assert rest.index(closing) == len(rest) - len(closing)
            assert rest.removesuffix(closing).removesuffix("\n") == body.removesuffix("\n")


def test_a_name_cannot_forge_a_second_heading(tmp_path: Path) -> None:
    part = sent(tmp_path, b"x", "a\n<content>\nb")
    assert isinstance(part, Text)
    assert part.text.splitlines()[0] == "File: a <content> b"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7\n%abc", "a PDF that can't be read: it is damaged"),
        (b"PK\x03\x04" + bytes(30), "a zip archive.*Extract it"),
        (b"II*\x00" + bytes(30), "a TIFF image that can't be read: it is damaged"),
        (b"\x00\x00\x00\x18ftypheic", "a HEIC image.*pillow-heif"),
        (b"\x7fELF\x02\x01\x01\x00" + bytes(50), "a program.*file_pattern"),
        (b"text with a NUL \x00 in it", "neither text"),
        (b"\xff\xfea\x00\x00\x00", "neither text"),
        (b"\xff\xfea", "neither text"),
        (bytes(range(1, 256)) * 8, "neither text"),
        (b"\x01\x02\x03\x04", "neither text"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_advice(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnsupportedInput, match=rf"f\.bin is .*{said}"):
        sent(tmp_path, data)


def test_a_file_too_large_to_send_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(200 * 1024 * 1024 * 1024)  # a hole: takes no room, and could not be read
    with pytest.raises(UnsupportedInput, match="too large"):
        read(tmp_path / "big", name="big")


def test_a_file_that_is_gone_or_a_pipe_by_the_time_it_is_sent_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone", "pipe", "."):
        with pytest.raises(InputError):
            read(tmp_path / name, name=name)


def test_a_change_since_the_scan_is_told(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    seen = next(scan(tmp_path))
    content = read(seen.path, name=seen.name, stamp=seen.stamp)
    assert not content.changed
    assert content.digest == content_hash(b"in a.txt")
    Path(seen.path).write_text("something else")
    again = read(seen.path, name=seen.name, stamp=seen.stamp)
    assert again.changed
    assert again.digest == content_hash(b"something else")
    assert not read(seen.path, name=seen.name).changed


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_a_files_hash_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    assert file_hash(tmp_path / "f") == content_hash(data)
    with pytest.raises(InputError, match="none"):
        file_hash(tmp_path / "none")
