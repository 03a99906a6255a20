import json
import shutil
from pathlib import Path

import pytest

from sim.errors import IntegrityError, RefusedError
from sim.store import (
    io,
    joining,
    list_runs,
    made_of,
    open_run,
    publish,
    read_request,
    run_record,
    verify,
    writing,
)


def ends(ranges):
    return [(each.first, each.last) for each in ranges]


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_writing__what_is_saved_outlives_a_failure(tmp_path, run, part):
    def broken_off():
        with writing(tmp_path, run) as begun:
            begun.ask(100, ["p50:x < 1%"], keep_draws=True)
            begun.save("parts", *part(0, 9))
            begun.save("parts", *part(20, 29))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        broken_off()
    begun = joining(tmp_path, run)
    assert error.value.__notes__ == [f"chipcast resume {begun.folder} goes on from what is stored"]
    asked = read_request(begun.folder)
    assert (asked.draws, asked.until, asked.keep_draws) == (100, ["p50:x < 1%"], True)
    with writing(tmp_path, run) as again:
        again.ask(100)
        assert ends(again.stored("parts")) == [(0, 9), (20, 29)]
        first = again.load("parts", again.stored("parts")[1])
        assert first["revenue"][0, 0].values.tolist() == list(range(20, 30))
        assert first["draw"].values.tolist() == list(range(20, 30))
    events = [json.loads(line)["event"] for line in (begun.folder / "log.jsonl").read_text().splitlines()]
    assert events == ["asked", "failed", "asked"]


def test_writing__a_failure_before_anything_is_saved_leaves_nothing(tmp_path, run):
    with pytest.raises(ZeroDivisionError), writing(tmp_path, run):
        raise ZeroDivisionError
    assert list_runs(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [".chipcast", ".staging"]


def test_writing__a_failure_leaves_what_is_published(published, run):
    with pytest.raises(ZeroDivisionError), writing(published.parent, run):
        raise ZeroDivisionError
    assert verify(published)


def test_stored__takes_only_what_is_whole_and_of_this_run(tmp_path, run, part):
    with writing(tmp_path, run) as begun:
        begun.ask(100)
        for first, last in ((0, 9), (10, 19), (20, 29), (30, 39), (40, 49)):
            begun.save("parts", *part(first, last))
        joining(tmp_path, run | {"device": "gpu"}).save("parts", *part(50, 59))  # made otherwise
        other = joining(tmp_path, run | {"config": {"seed": 9}})
        other.save("parts", *part(60, 69))
    parts = begun.folder / "parts"
    for name in ("60-69", "60-69.MANIFEST.json"):
        (other.folder / "parts" / name).rename(parts / name)  # another run's
    flip(parts / "10-19/revenue/c/0/0/0")
    (parts / "20-29.MANIFEST.json").unlink()
    shutil.rmtree(parts / "30-39")
    assert ends(begun.stored("parts")) == [(0, 9), (40, 49)]


def test_stored__takes_no_range_whose_manifest_stands_under_another_name(tmp_path, run, part):
    with writing(tmp_path, run) as mine:
        for first in (0, 10):
            mine.save("parts", *part(first, first + 9))
        one, other = sorted((mine.folder / "parts").glob("*.json"))
        contents = one.read_bytes(), other.read_bytes()
        one.write_bytes(contents[1])
        other.write_bytes(contents[0])
        assert mine.stored("parts") == []  # or they would be published as they stand, and no reader would find them
        mine.save("parts", *part(0, 9))
        assert ends(mine.stored("parts")) == [(0, 9)]


def test_stored__no_two_ranges_share_a_draw(tmp_path, run, part):
    with writing(tmp_path, run) as begun:
        begun.ask(100)
        for first, last in ((0, 9), (0, 29), (20, 39), (30, 49), (45, 59), (50, 69)):
            begun.save("parts", *part(first, last))
    assert ends(begun.stored("parts")) == [(0, 29), (30, 49), (50, 69)]


def test_save__twice_is_once_and_mends_what_is_damaged(tmp_path, run, part):
    with writing(tmp_path, run) as begun:
        begun.ask(100)
        first = begun.save("parts", *part(0, 9))
        before = {path: path.stat().st_ino for path in begun.folder.rglob("*") if path.is_file()}
        assert begun.save("parts", *part(0, 9)) == first
        assert {path: path.stat().st_ino for path in begun.folder.rglob("*") if path.is_file()} == before
        flip(begun.folder / "parts/0-9/revenue/c/0/0/0")
        assert begun.stored("parts") == []
        begun.save("parts", *part(0, 9))
        assert begun.stored("parts") == [first]


def test_save__beside_a_published_part_of_the_same_name_leaves_that_one(published, run, part, trees):
    """Draws of another device are another part: the published one stays until they are published."""
    with writing(published.parent, run | {"device": "gpu"}) as begun:
        begun.ask(200)
        first, last, data = part(0, 19)
        saved = begun.save("parts", first, last, data + 1)
        assert open_run(published)["draws/revenue"][0, 0].values.tolist() == list(range(30))
        assert begun.stored("parts") == [saved]
        assert begun.load("parts", saved)["revenue"][0, 0, 0].item() == 1
        begun.publish(trees(draws=200), draws=200, parts=[saved])
    assert open_run(published)["draws/revenue"][0, 0].values.tolist() == list(range(1, 21))
    assert sorted(path.name for path in (published / "parts").iterdir()) == ["0-19", "0-19.MANIFEST.json"]
    assert verify(published)


def test_drop__never_takes_what_is_published(published, run):
    joined = joining(published.parent, run)
    for each in joined.stored("parts"):
        joined.drop("parts", each)
    assert verify(published)


def test_joining__takes_no_lock_and_what_it_saves_is_used(published, run, trees, part):
    with writing(published.parent, run) as begun:
        begun.ask(150)
        joining(published.parent, run).save("parts", *part(30, 49))
        begun.publish(trees(draws=150), draws=150, parts=begun.stored("parts"))
    assert open_run(published)["draws/revenue"][0, 0].values.tolist() == list(range(50))


def test_ask__refuses_fewer_draws_than_are_published(published, run, trees):
    before = (published / "request.json").read_bytes()
    with writing(published.parent, run) as begun:
        with pytest.raises(RefusedError, match="holds 100 draws, which 99 would replace"):
            begun.ask(99)
        with pytest.raises(RefusedError, match="ask for 100 draws or more"):
            begun.publish(trees(draws=99), draws=99, compare=True)
    assert (published / "request.json").read_bytes() == before
    assert open_run(published).attrs["draws"] == 100


def test_publish__compared_keeps_a_run_that_has_other_bits(published, run, tree, trees, part):
    other = trees(scale=1.001)
    with writing(published.parent, run) as begun:
        begun.ask(100)
        begun.publish(tree, draws=100, parts=begun.stored("parts"), compare=True)
        with pytest.raises(IntegrityError, match="revenue"):
            begun.publish(other, draws=100, parts=begun.stored("parts"), compare=True)
    assert open_run(published)["prior_predictive/revenue"].equals(tree["prior_predictive/revenue"])
    with writing(published.parent, run | {"device": "gpu"}) as begun:  # other bits are what one expects
        begun.ask(100)
        begun.publish(other, draws=100, compare=True)
    assert verify(published)


def test_writing__is_refused_while_another_writes(published, run):
    with writing(published.parent, run):
        before = (published / "request.json").read_bytes()
        with pytest.raises(RefusedError, match="is writing this run"), writing(published.parent, run):
            pass
        assert (published / "request.json").read_bytes() == before


def test_made_of__all_that_makes_numbers_and_no_name(run):
    """A device, a machine, a program or a version more: none of their draws belong together."""
    record = run_record(run | {"code": "1", "machine": "x86_64"})
    changes = [
        {"device": "gpu"},
        {"machine": "arm64"},
        {"code": "2"},
        {"dtype": "f8"},
        {"config": {}},
        {"versions": {}},
    ]
    assert len({made_of(record | change) for change in [{}, *changes]}) == 1 + len(changes)
    assert made_of(record | {"scenario": "mine", "recipe": {}}) == made_of(record)


def test_stored__of_two_of_one_name_is_the_published_one(published, run, part):
    first, last, data = part(0, 19)
    with writing(published.parent, run) as begun:
        (wanted, _) = begun.stored("parts")
        begun.save("parts", first, last, data + 1)  # as --fresh does where it finds other bits
        assert begun.stored("parts")[0] == wanted


def test_publish__keeps_progress_beyond_its_own_draws(tmp_path, run, trees, part):
    with writing(tmp_path, run) as begun:
        for first in (0, 20, 40):
            begun.save("parts", *part(first, first + 19))
        begun.publish(trees(draws=20), draws=20, parts=begun.stored("parts")[:1])
        assert ends(begun.stored("parts")) == [(0, 19), (20, 39), (40, 59)]


def test_save__survives_the_failure_of_another_at_the_same_run(tmp_path, run, part):
    joined = joining(tmp_path, run)
    with pytest.raises(ZeroDivisionError), writing(tmp_path, run):
        raise ZeroDivisionError
    joined.save("parts", *part(0, 9))
    assert ends(joined.stored("parts")) == [(0, 9)]


def test_publish__never_replaces_a_run_of_a_newer_format(published, run, trees):
    commit = published / "COMMIT.json"
    newer = json.dumps(json.loads(commit.read_text()) | {"format_version": 99})
    commit.write_text(newer)
    with pytest.raises(RefusedError, match="format 99"):
        publish(published.parent, run, trees(draws=200), draws=200)
    assert commit.read_text() == newer


def test_verify__of_the_folder_one_is_in(published, monkeypatch):
    monkeypatch.chdir(published)
    assert verify(Path()) == verify(published)


def test_log__takes_any_text(published, run):
    joining(published.parent, run).log("failed", error="\udcff")


def test_writing__is_refused_whatever_stands_in_the_lock(published, run):
    with io.locked(published / "LOCK"):
        (published / "LOCK").write_bytes(b"\xff")
        with pytest.raises(RefusedError, match="another process is writing"), writing(published.parent, run):
            pass


def test_save__a_range_has_its_manifest_last(tmp_path, run, part, monkeypatch):
    """Until then it is not there for anybody; and all of it is on the disk before any of it has a name."""
    seen = []
    with writing(tmp_path, run) as begun:
        monkeypatch.setattr(io, "before", lambda operation, path: seen.append((operation, path)))
        begun.save("parts", *part(0, 9))
    home = begun.folder / "parts"
    named = [path for operation, path in seen if operation == "move" and path.parent == home]
    assert named == [home / "0-9", home / "0-9.MANIFEST.json"]
    before = seen[: seen.index(("move", named[0]))]
    made = {path for operation, path in before if operation == "create"}
    assert made <= {path for operation, path in before if operation == "sync"}


def test_verify__wants_what_was_asked_too(published):
    (published / "request.json").unlink()
    with pytest.raises(IntegrityError, match=r"request\.json"):
        verify(published)
