"""What can happen to a file, and to whoever writes it: each time a sentence with the cure, and the record as it was."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llm_net.errors import JournalFailed
from llm_net.journal import SqliteJournal
from llm_net.journal.sqlite import VERSION
from llm_net.record import Begun, Fact, Part, Select
from tests.journal.facts import BEGUN, FIRST, ended, facts_of, refusal, sent

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may enter, for programs that give up the rights of root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def write(path: Path, facts: list[Fact], run: str = "r") -> None:
    async def main() -> None:
        journal = SqliteJournal(path)
        await journal.write(run, facts)
        await journal.aclose()

    asyncio.run(main())


def read(path: Path, run: str = "r") -> list[Fact]:
    async def main() -> list[Fact]:
        journal = SqliteJournal(path)
        try:
            await journal.open(run)
            return await facts_of(journal, run)
        finally:
            await journal.aclose()

    return asyncio.run(main())


def program(code: str, *words: object, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A program in a process of its own, that has what this file has."""
    start = "import asyncio, os, resource, sys\nfrom tests.journal.test_sqlite import *\n"
    return subprocess.Popen(
        [*before, sys.executable, "-c", start + textwrap.dedent(code), *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def said(code: str, *words: object, before: tuple[str, ...] = ()) -> str:
    """What a program says, that ends well."""
    with program(code, *words, before=before) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return out


FILL = """
    async def main():
        path = Path(sys.argv[1])
        journal = SqliteJournal(path)
        await journal.write("r", FIRST)
        facts = await facts_of(journal, "r")
        {limit}
        seq = 4
        while not (sentence := await refusal(journal, "r", group := [sent(seq + n, "bees " * 200) for n in range(1, 20)])):
            facts += group
            seq += 19
        print(sentence)
        assert await refusal(journal, "r", group) == sentence
        assert await facts_of(journal, "r") == facts
        {more}
        assert await refusal(journal, "r", group) == ""
        await journal.aclose()
        journal = SqliteJournal(path)
        assert await facts_of(journal, "r") == facts + group
        assert (await journal.open("r")).seq == seq + 19
        await journal.aclose()
    asyncio.run(main())
"""


def test_a_file_at_its_limit_of_size_is_told_and_goes_on_when_it_may(path: Path) -> None:
    limit = "soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE); resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))"
    out = said(FILL.format(limit=limit, more="resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))"), path)

    assert "see whether its disk or its size is at a limit, then resume" in out


def test_a_full_disk_is_told_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    namespace = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk; another test limits the size of a file")
    mount = "mount -t tmpfs -o size=2M tmpfs"
    code = FILL.format(limit="", more=f'assert os.system(f"mount -o remount,size=8M {tmp_path}") == 0')
    out = said(code, tmp_path / "run.db", before=(*namespace, "sh", "-c", f'{mount} {tmp_path} && exec "$0" "$@"'))

    assert "there is no room on the disk" in out


DROP = "os.setgid(65534), os.setuid(65534)" if os.geteuid() == 0 else "None"
"""Be nobody: root may write everything."""


def test_a_file_that_may_not_be_written_is_told_and_can_be_read(shared: Path) -> None:
    path = shared / "run.db"
    write(path, FIRST)
    path.chmod(0o444)
    shared.chmod(0o555)
    out = said(
        f"""
        async def main():
            journal = SqliteJournal(sys.argv[1])  # imports what it needs while it may
            try:
                await journal.open("none")
            except JournalFailed as error:
                raise
            except Exception:
                pass
            await journal.aclose()
            {DROP}
            journal = SqliteJournal(sys.argv[1])
            print(await refusal(journal, "r", [sent(5)]))
            assert await facts_of(journal, "r") == FIRST
            assert len((await journal.open("r")).pending) == 1
            await journal.aclose()
        asyncio.run(main())
        """,
        path,
    )
    shared.chmod(0o777)
    path.chmod(0o644)

    assert "make the file and its folder writable, then resume" in out
    write(path, [sent(5)])
    assert read(path) == [*FIRST, sent(5)]


def test_a_file_locked_by_another_program_is_told_and_goes_on_when_that_ends(path: Path) -> None:
    async def main() -> tuple[str, str]:
        journal = SqliteJournal(path, patience=0.05)
        await journal.write("r", FIRST)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            sentence = await refusal(journal, "r", [sent(5)])
            assert await facts_of(journal, "r") == FIRST
            other.execute("ROLLBACK")
        after = await refusal(journal, "r", [sent(5)])
        await journal.aclose()
        return sentence, after

    sentence, after = asyncio.run(main())
    assert "was locked by another program for 0.05 s; let that end, then resume" in sentence
    assert after == ""
    assert read(path) == [*FIRST, sent(5)]


@pytest.mark.parametrize("harm", ["cut", "zeros", "noise", "flip", "hole"])
def test_whatever_happens_to_the_end_of_the_log_a_beginning_of_the_record_is_left(path: Path, harm: str) -> None:
    groups: list[list[Fact]] = [[BEGUN]]
    groups += [[sent(seq), ended(seq + 1, seq)] for seq in range(2, 60, 2)]

    async def main() -> tuple[bytes, bytes]:
        journal = SqliteJournal(path)
        for group in groups:
            await journal.write("r", group)
        kept = path.read_bytes(), path.with_name("run.db-wal").read_bytes()  # noqa: ASYNC240 - as a machine that loses power leaves them
        await journal.aclose()
        return kept

    base, log = asyncio.run(main())
    states = [[fact for group in groups[:n] for fact in group] for n in range(1, len(groups) + 1)]
    chance = random.Random(harm)
    for _ in range(20):
        at = chance.randrange(len(log) // 2, len(log))
        size = chance.randrange(1, 5000)
        match harm:
            case "cut":
                harmed = log[:at]
            case "zeros":
                harmed = log[:at] + bytes(len(log) - at)
            case "noise":
                harmed = log[:at] + chance.randbytes(len(log) - at)
            case "flip":
                harmed = log[:at] + bytes([log[at] ^ 1 << chance.randrange(8)]) + log[at + 1 :]
            case _:
                harmed = log[:at] + bytes(size) + log[at + size :]
        path.write_bytes(base)
        path.with_name("run.db-wal").write_bytes(harmed)
        path.with_name("run.db-shm").unlink(missing_ok=True)
        found = read(path)
        assert found in states
        write(path, [sent(len(found) + 1)])
        assert read(path) == [*found, sent(len(found) + 1)]


def test_what_was_written_outlives_a_process_that_is_killed(path: Path) -> None:
    for _ in range(5):
        with program(
            """
            async def main():
                journal = SqliteJournal(sys.argv[1])
                seq = 0
                if await journal.runs():
                    seq = (await journal.open("r")).seq
                else:
                    await journal.write("r", [BEGUN])
                    seq = 1
                while True:
                    seq += 3
                    await journal.write("r", [sent(seq - 2), sent(seq - 1), sent(seq)])
                    print(seq, flush=True)
            asyncio.run(main())
            """,
            path,
        ) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(20)]
            process.send_signal(signal.SIGKILL)
            told += [int(line) for line in process.stdout if line.endswith("\n")]
        found = read(path)
        assert [fact.seq for fact in found] == list(range(1, len(found) + 1))
        assert len(found) >= told[-1]
        assert len(found) % 3 == 1


def test_of_two_who_go_on_with_one_run_the_later_is_told(path: Path) -> None:
    write(path, FIRST)

    async def main() -> str:
        one, other = SqliteJournal(path), SqliteJournal(path)
        await one.write("r", [sent(5), sent(6)])
        sentence = await refusal(other, "r", [ended(5, 4)])
        await other.write("s", [BEGUN])
        await one.aclose()
        await other.aclose()
        return sentence

    assert "place 5 of run 'r' is taken; somebody else goes on with it: let one of the two end" in asyncio.run(main())
    assert read(path) == [*FIRST, sent(5), sent(6)]


# ---------------------------------------------------------------------------------------------- other files


def failure(path: Path, *, reading: bool = False) -> str:
    """The sentence with which a file is not read, or not written."""

    async def main() -> str:
        journal = SqliteJournal(path, patience=0.05)
        try:
            if not reading:
                return await refusal(journal, "r", [BEGUN])
            with pytest.raises(JournalFailed) as failed:
                await journal.runs()
            return str(failed.value)
        finally:
            await journal.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize("reading", [True, False])
def test_a_file_that_is_no_database_is_told_and_left_alone(path: Path, reading: bool) -> None:
    path.write_text("These are no tables. " * 100)

    assert "is no SQLite database; give another path" in failure(path, reading=reading)
    assert path.read_text() == "These are no tables. " * 100


@pytest.mark.parametrize("reading", [True, False])
def test_a_database_of_something_else_is_told_and_left_alone(path: Path, reading: bool) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE birds (name)")
    before = path.read_bytes()

    assert "is a database of something else; give another path" in failure(path, reading=reading)
    assert path.read_bytes() == before


@pytest.mark.parametrize("reading", [True, False])
def test_tables_of_a_newer_version_are_told(path: Path, reading: bool) -> None:
    write(path, FIRST)
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 1}")

    sentence = failure(path, reading=reading)
    assert f"its tables are version {VERSION + 1}, this one's are {VERSION}" in sentence
    assert "was written by a newer llm_net" in sentence


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "see that its folder exists" in failure(tmp_path / "none" / "run.db")
    assert "see that its folder exists" in failure(tmp_path)


@pytest.mark.parametrize("harm", ["cut", "noise"])
def test_a_damaged_file_is_told(path: Path, harm: str) -> None:
    write(path, [BEGUN, *(sent(seq, "bees " * 100) for seq in range(2, 500))])
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] if harm == "cut" else whole[:4096] + random.Random(1).randbytes(len(whole) - 4096))

    with pytest.raises(JournalFailed, match="is damaged"):
        read(path)


def test_to_look_makes_no_file(path: Path) -> None:
    async def main() -> None:
        journal = SqliteJournal(path)
        assert list(await journal.runs()) == []
        await journal.aclose()

    asyncio.run(main())
    assert not path.exists()


def test_tables_of_an_older_version_are_brought_to_this_one(path: Path) -> None:
    write(path, FIRST)
    with closing(sqlite3.connect(path)) as other:  # as version 1 left it
        other.execute("DROP TABLE search")
        other.execute("PRAGMA user_version = 1")

    async def main() -> list[Fact]:
        journal = SqliteJournal(path)
        found = [fact async for fact in journal.read("r", Select(text="bee"))]
        await journal.aclose()
        return found

    assert asyncio.run(main()) == [sent(2), sent(4)]
    assert read(path) == FIRST


def test_several_programs_may_make_the_file_at_once(path: Path) -> None:
    code = """
        async def main():
            journal = SqliteJournal(sys.argv[1])
            sys.stdin.readline()
            await journal.write(sys.argv[2], FIRST)
            await journal.aclose()
        asyncio.run(main())
        """
    processes = [program(code, path, name) for name in "abcd"]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert all(read(path, name) == FIRST for name in "abcd")


# ---------------------------------------------------------------------------------------------- what is in it


def test_contents_are_kept_as_bytes_and_a_part_once(path: Path) -> None:
    write(path, [BEGUN, sent(2), Part(3, "hash", b"data"), Part(4, "hash", b"data")])
    write(path, [BEGUN, Part(2, "hash", b"data")], run="s")

    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT typeof(message), typeof(id) FROM sent").fetchall() == [("blob", "text")]
        assert other.execute("SELECT hash, data FROM content").fetchall() == [("hash", b"data")]
        assert other.execute("SELECT COUNT(*) FROM search").fetchall() == [(0,)]  # until somebody looks for a word
        assert other.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_a_closed_journal_leaves_one_file_that_can_be_copied(path: Path, tmp_path: Path) -> None:
    write(path, FIRST)

    assert [each.name for each in tmp_path.iterdir()] == ["run.db"]
    shutil.copy(path, tmp_path / "copy.db")
    assert read(tmp_path / "copy.db") == FIRST


def test_a_closed_journal_says_so(path: Path) -> None:
    async def main() -> None:
        journal = SqliteJournal(path)
        await journal.write("r", FIRST)
        await journal.aclose()
        for call in (journal.write("r", [sent(5)]), journal.open("r"), journal.runs(), journal.forget("r")):
            with pytest.raises(JournalFailed, match="was closed; make a new journal"):
                await call

    asyncio.run(main())


def test_whoever_stops_waiting_stops_nobody_else(path: Path) -> None:
    async def main() -> None:
        journal = SqliteJournal(path)
        await journal.write("r", [BEGUN])
        tasks = [asyncio.create_task(journal.write("r", [sent(seq)])) for seq in range(2, 10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.wait(tasks)
        assert (await journal.open("r")).seq == 9
        await journal.aclose()

    asyncio.run(main())


def test_one_journal_serves_several_event_loops(path: Path) -> None:
    async def fork(journal: SqliteJournal, name: str) -> None:
        await journal.write(name, [Begun(3, "net", 7, 1.0, "", "r", 2)])
        assert len(await facts_of(journal, name)) == 3

    journal = SqliteJournal(path)
    asyncio.run(journal.write("r", FIRST))
    asyncio.run(fork(journal, "a"))
    asyncio.run(fork(journal, "b"))
    asyncio.run(journal.aclose())
