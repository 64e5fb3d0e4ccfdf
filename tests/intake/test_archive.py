"""Archives, good and bad, through the real confined unpacker; and the rules for names and entries alone."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import BadSource
from appliance.intake import archive
from appliance.intake.archive import Entry, Plan
from appliance.intake.tree import Budget
from tests import host_watch
from tests.submissions import RUN, Bench, tar_entry, tar_of, zip_of

FILES: dict[str, str | bytes] = {"run.py": RUN, "pkg/__init__.py": "", "pkg/größe.txt": "x"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert old in content
    return content.replace(old, new)


# --- what is taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", ["", "project-main/", "./", "./project/"])
@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_run_py_at_the_root_or_in_the_single_top_folder_is_found(bench: Bench, kind: str, top: str) -> None:
    files = {top + name: content for name, content in FILES.items()}
    content = zip_of(files, compression=zipfile.ZIP_DEFLATED) if kind == "zip" else tar_of(dict(files), kind)
    job = bench.archive(content)
    with host_watch.unchanged():
        prepared = bench.prepare(job)
    assert prepared.commit_id == hashlib.sha256(content).hexdigest()
    assert bench.files(job) == FILES


def test_modes_owners_and_times_are_our_own(bench: Bench) -> None:
    script = tarfile.TarInfo("run.py")
    script.size, script.mode, script.uid, script.mtime = 0, 0o6777, 4242, 1
    odd = tar_entry(tarfile.DIRTYPE, mode=0o7000)
    job = bench.archive(tar_of({"closed": odd, "closed/a.py": "x", "run.py": RUN, "tool": _with_mode(0o6755)}))
    bench.prepare(job)
    found = {path.name: path.stat() for path in bench.paths.source(job.id).rglob("*")}
    assert {name: oct(status.st_mode & 0o7777) for name, status in found.items()} == {
        "closed": "0o755", "a.py": "0o644", "run.py": "0o644", "tool": "0o755",
    }  # fmt: skip
    assert len({status.st_uid for status in found.values()}) == 1
    assert all(status.st_mtime > 1e9 for status in found.values())


def _with_mode(mode: int) -> tarfile.TarInfo:
    return tar_entry(tarfile.REGTYPE, mode=mode)


def test_what_macos_adds_is_left_out(bench: Bench) -> None:
    job = bench.archive(zip_of({"a/run.py": RUN, "a/.DS_Store": "x", "__MACOSX/a/._run.py": "x", "__MACOSX/._a": "x"}))
    bench.prepare(job)
    assert set(bench.files(job)) == {"run.py"}


def test_an_upload_may_be_prepared_again(bench: Bench) -> None:
    job = bench.archive(zip_of(FILES))
    assert bench.prepare(job) == bench.prepare(job)


# --- what is not an archive, or broken -----------------------------------------------------------------------


BROKEN = {
    "empty": (b"", "empty"),
    "a program": (RUN.encode(), "neither zip nor tar"),
    "zeros": (b"\0" * 5000, "neither zip nor tar"),
    "rar": (b"Rar!\x1a\x07\x01\0", "rar"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\0", "7z"),
    "zstd": (b"\x28\xb5\x2f\xfd\0\0", "zstd"),
    "zip in name only": (b"PK\x03\x04" + b"\xff" * 400, "broken"),
    "gzip in name only": (b"\x1f\x8b\x08" + b"\xff" * 400, "broken"),
    "bzip2 in name only": (b"BZh9" + b"\xff" * 400, "broken"),
    "xz in name only": (b"\xfd7zXZ\0" + b"\xff" * 400, "broken"),
    "zip without its end": (zip_of(FILES)[:-40], "broken"),
    "zip cut short": (zip_of(FILES)[:60], "broken"),
    "tar.gz without its end": (tar_of(dict(FILES))[:-30], "broken"),
    "tar cut short": (tar_of({"run.py": RUN * 1000}, "w")[:700], "broken"),
    "gzip of no tar": (gzip.compress(b"no tar at all" * 100), "broken"),
    "zip of nothing": (zip_of({}), "no run.py at its top (found: nothing)"),
    "tar of nothing": (tar_of({}), "no run.py at its top (found: nothing)"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_what_cant_be_unpacked_is_refused(bench: Bench, content: bytes, message: str) -> None:
    assert message in bench.refusal(bench.archive(content))


def test_a_wrong_checksum_is_noticed(bench: Bench) -> None:
    content = zip_of({"run.py": RUN, "data": "abcdefgh"})
    assert "broken" in bench.refusal(bench.archive(patched(content, b"abcdefgh", b"abcdefgi")))


def test_a_password_protected_zip_is_refused(bench: Bench) -> None:
    content = bytearray(zip_of({"run.py": RUN}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in bench.refusal(bench.archive(bytes(content)))


def test_an_upload_that_is_gone_or_is_a_link_is_refused(bench: Bench, tmp_path: Path) -> None:
    job = bench.archive(zip_of(FILES))
    upload = bench.paths.upload(job.id)
    upload.rename(tmp_path / "elsewhere")
    assert "gone" in bench.refusal(job)
    upload.symlink_to(tmp_path / "elsewhere")
    assert "gone" in bench.refusal(job)


# --- run.py --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.py": "", "b/c.py": ""},
            "no run.py at its top (found: a.py, b/). Put run.py at the root or in the single top folder.",
        ),
        ({"a/b/run.py": RUN}, "(found: a/b/)"),
        ({"a/run.py": RUN, "b/x": ""}, "(found: a/, b/)"),
        ({"a/x.py": RUN, "a/b/": ""}, "(found: a/b/, a/x.py)"),
        ({"Run.py": RUN}, "Rename Run.py to run.py"),
        ({"run.py/x": ""}, "(found: run.py/x)"),
        ({f"{n}.txt": "" for n in range(20)}, ", …)"),
        ({"run.py": ""}, "empty"),
        ({"run.py": " \n\n"}, "empty"),
        ({"run.py": "def f(:\n    pass\n"}, "run.py, line 1: invalid syntax"),
        ({"run.py": "x = 1\n  y = 2\n"}, "line 2: unexpected indent"),
        ({"run.py": "print 'old'\n"}, "Missing parentheses"),
        ({"run.py": "return 5\n"}, "'return' outside function"),
        ({"run.py": "x = '\xe9'\n".encode("latin-1")}, "run.py"),
        ({"run.py": b"x = 1\0\n"}, "null"),
        ({"run.py": "x = " + "-" * 300_000 + "1\n"}, "run.py"),
        ({"run.py": "x = " + "(" * 100_000 + ")" * 100_000 + "\n"}, "too many nested parentheses"),
        ({"run.py": b"#" * (5 << 20)}, "larger than 4 MiB"),
    ],
    ids=range(18),
)
def test_a_missing_or_unusable_run_py_is_explained(bench: Bench, files: dict[str, str | bytes], message: str) -> None:
    assert message in bench.refusal(bench.archive(zip_of(files, compression=zipfile.ZIP_DEFLATED)))


def test_a_syntax_error_is_shown_with_a_caret_under_its_place(bench: Bench) -> None:
    message = bench.refusal(bench.archive(zip_of({"run.py": "if True:\n    value = = 3\n"})))
    lines = message.splitlines()
    assert lines[0].startswith("run.py, line 2: invalid syntax (Python 3.11)")
    assert lines[1].index("= 3") == lines[2].index("^")


def test_a_source_in_another_encoding_compiles(bench: Bench) -> None:
    bench.prepare(bench.archive(zip_of({"run.py": "# coding: latin-1\nprint('größe')\n".encode("latin-1")})))


# --- hostile entries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil", "leads outside"),
        ("a/../../evil", "leads outside"),
        ("a/..", "leads outside"),
        ("/etc/evil", "absolute name"),
        ("//evil", "absolute name"),
        ("C:/evil", "absolute name"),
        ("..\\evil", "backslash"),
        ("a\\b", "backslash"),
        ("a\x1b[31mb", "control characters"),
        ("a\nb", "control characters"),
        ("a\u202egpj.py", "control characters"),
        ("x" * 300, "longer than 255 bytes"),
        ("d/" * 70 + "f", "nested deeper"),
        ("RUN.PY", "only in case"),
        ("run.py/x", "as a file and as a folder"),
    ],
)
def test_names_that_lead_astray_are_refused(bench: Bench, kind: str, name: str, message: str) -> None:
    files: dict[str, str | bytes] = {"run.py": RUN, name: "evil"}
    content = zip_of(files) if kind == "zip" else tar_of(dict(files))
    assert message in bench.refusal(bench.archive(content))


@pytest.mark.parametrize("first", ["run.py", "./run.py"])
def test_a_name_that_comes_twice_is_refused(bench: Bench, first: str) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as written:
        for name in (first, "run.py"):
            entry = tarfile.TarInfo(name)
            entry.size = len(RUN)
            written.addfile(entry, io.BytesIO(RUN.encode()))
    assert "two entries named “run.py”" in bench.refusal(bench.archive(target.getvalue()))


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "run.py"),
        (tarfile.LNKTYPE, "run.py"),
        (tarfile.LNKTYPE, "/etc/shadow"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(bench: Bench, kind: bytes, link: str) -> None:
    message = bench.refusal(bench.archive(tar_of({"run.py": RUN, "odd": tar_entry(kind, link)})))
    assert "The archive has a " in message
    assert "“odd”" in message


def test_a_link_in_a_zip_is_refused(bench: Bench) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as written:
        written.writestr("run.py", RUN)
        link = zipfile.ZipInfo("odd")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        written.writestr(link, "/etc/passwd")
    assert "has a link in it, “odd”" in bench.refusal(bench.archive(target.getvalue()))


def test_a_name_cut_by_nul_is_refused(bench: Bench) -> None:
    content = zip_of({"run.py": RUN, "ok.pyXevil": "x"})
    assert "control characters" in bench.refusal(bench.archive(content.replace(b"ok.pyXevil", b"ok.py\0evil")))


# --- bombs ---------------------------------------------------------------------------------------------------


def _zeros(size: int, chunk: int = 1 << 24) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(packing.compress(bytes(chunk)) for _ in range(size // chunk)) + packing.flush()


def zip_bomb(size: int, claimed: int) -> bytes:
    """A zip whose one file is `size` zeros and says that it has `claimed`."""
    content, name = _zeros(size), b"run.py"
    common = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, 0, len(content), claimed)
    local = b"PK\x03\x04" + common + struct.pack("<HH", len(name), 0) + name + content
    directory = b"PK\x01\x02\x14\0" + common + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    return local + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(local), 0)


@pytest.mark.parametrize("claimed", [256 << 20, 100], ids=["honest", "lying"])
def test_a_zip_bomb_is_refused_without_being_unpacked(bench: Bench, claimed: int) -> None:
    content = zip_bomb(256 << 20, claimed)
    assert len(content) < 1 << 20
    began_s = time.monotonic()
    tracemalloc.start()
    message = bench.refusal(bench.archive(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "larger than 8 MiB" in message if claimed > 100 else "broken" in message or "larger" in message
    assert time.monotonic() - began_s < 10
    assert peak < 16 << 20


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gz", "xz"])
def test_a_tar_bomb_is_cut_off_while_it_is_read(bench: Bench, pack: object) -> None:
    entry = tarfile.TarInfo("run.py")
    entry.size = 100 << 20
    content = pack(entry.tobuf() + bytes(100 << 20))  # type: ignore[operator]  # either of two functions
    assert "larger than 8 MiB" in bench.refusal(bench.archive(content))


def test_a_bomb_among_what_is_left_out_is_cut_off_too(bench: Bench) -> None:
    hidden = tarfile.TarInfo("__MACOSX/._run.py")
    hidden.size = 100 << 20
    script = tarfile.TarInfo("run.py").tobuf()
    assert "larger than" in bench.refusal(bench.archive(gzip.compress(script + hidden.tobuf() + bytes(100 << 20), 1)))


def test_a_tar_header_that_wants_gigabytes_of_memory_is_refused(bench: Bench) -> None:
    entry = tar_entry(tarfile.XHDTYPE)
    entry.name, entry.size = "x", 8 << 30
    bench.refusal(bench.archive(gzip.compress(entry.tobuf(tarfile.GNU_FORMAT) + bytes(200 << 20), 1)))


def test_a_sparse_file_is_refused(bench: Bench) -> None:
    pax = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "big",
        "GNU.sparse.realsize": str(1 << 40),
    }
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as written:
        entry = tarfile.TarInfo("big")
        entry.pax_headers, entry.size = pax, 512
        written.addfile(entry, io.BytesIO(b"1\n0\n0\n".ljust(512, b"\0")))
        script = tarfile.TarInfo("run.py")
        written.addfile(script)
    assert "sparse" in bench.refusal(bench.archive(target.getvalue()))


def test_too_many_files_are_refused(bench: Bench) -> None:
    names: dict[str, str | bytes] = {f"f{number}": "" for number in range(600)}
    assert "more than 500 files" in bench.refusal(bench.archive(zip_of({"run.py": RUN, **names})))


def test_too_large_an_upload_is_not_even_opened(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_upload_mb=1)
    assert "larger than 1 MiB" in bench.refusal(bench.archive(bytes(1 << 20) + b"x"))


def test_cancelling_ends_an_unpacking(bench: Bench) -> None:
    job = bench.archive(zip_of(FILES))
    with host_watch.unchanged(), pytest.raises(Exception, match="cancelled"):
        bench.prepare(job, lambda: True)
    assert not bench.paths.job(job.id).exists()


# --- the rules alone -----------------------------------------------------------------------------------------

names = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(["..", ".", "", "a", "A", "run.py", "ä", "a\u0308", "\\", "C:"]), max_size=6).map(
        "/".join
    ),
)


@given(names)
def test_a_cleaned_name_never_leads_outside(name: str) -> None:
    try:
        path = archive.clean(name)
    except BadSource:
        return
    resolved = Path("/somewhere/else", path).resolve()
    assert resolved == Path("/somewhere/else") or Path("/somewhere/else") in resolved.parents
    assert str(resolved) == f"/somewhere/else/{path}".rstrip("/")


@settings(max_examples=300)
@given(st.lists(st.builds(Entry, name=names, is_folder=st.booleans(), size=st.integers(-1, 2000)), max_size=12))
def test_a_plan_writes_each_path_once_in_folders_that_it_makes(entries: list[Entry]) -> None:
    plan = Plan(Budget(5000, 20))
    for entry in entries:
        try:
            plan.add(entry)
        except BadSource:
            break
    assert not set(plan.files) & plan.folders
    assert all(path.rpartition("/")[0] in plan.folders | {""} for path in [*plan.files, *plan.folders])
    assert len({path.casefold() for path in [*plan.files, *plan.folders]}) == len(plan.files) + len(plan.folders)
