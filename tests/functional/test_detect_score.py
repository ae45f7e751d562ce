"""`fleetward detect score`: anomaly scores for CSV, one row out for each row in."""
import math
import random
import subprocess
import time

import pytest

from support import paths

START = 1704067200  # 2024-01-01
STEP = 300


def score(text, *options, code=0):
    done = subprocess.run([paths.FLEETWARD, "detect", "score", *options], input=text, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == code, done.stderr
    return done if code else [row.split(",") for row in done.stdout.splitlines()]


def stamp(i):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(START + i * STEP))


def daily(noise, i, level=1000):
    return round(level * (1 + 0.4 * math.sin(2 * math.pi * i / 288)) + noise.gauss(0, level * 0.03), 2)


def rows(values):
    return "timestamp,value\n" + "".join(f"{stamp(i)},{v}\n" for i, v in enumerate(values))


def plain(days=7):
    noise = random.Random(1)
    return [daily(noise, i) for i in range(288 * days)]


def test_one_row_out_for_each_row_in_and_a_spike_stands_out():
    values = plain()
    at = len(values) - 50
    values[at] = 5000
    out = score(rows(values), "--step", str(STEP))
    assert out[0] == ["timestamp", "score"]
    assert [row[0] for row in out[1:]] == [stamp(i) for i in range(len(values))]
    scores = [float(row[1]) for row in out[1:]]
    assert all(0 <= s <= 1 for s in scores)
    assert scores[at] >= 0.95
    assert max(scores[288:at]) < scores[at]
    assert sum(s >= 0.85 for s in scores[288:at]) <= 2


def test_a_row_depends_on_earlier_rows_only():
    values = plain(4)
    values[700] = 0
    whole = score(rows(values))
    for cut in (150, 701, 900):
        assert score(rows(values[:cut])) == whole[:cut + 1]


def test_gaps_headers_and_epoch_times():
    values = plain(2)
    lines = [f"{START + i * STEP},{v}" for i, v in enumerate(values)]
    lines[300] = f"{START + 300 * STEP},"           # an empty value is a gap
    del lines[400:460]                              # so are missing rows
    out = score("\r\n".join(lines))                 # neither header nor last line end
    assert len(out) == len(lines)
    assert out[300] == [str(START + 300 * STEP), "0"]


@pytest.mark.parametrize("line, words", [
    ("2024-01-01 00:10:00", "not timestamp,value"),
    ("2024-01-01 00:10:00,1,2", "not timestamp,value"),
    ("yesterday,1", "timestamp"),
    ("2024-02-30 00:00:00,1", "timestamp"),
    ("2023-12-31 23:00:00,1", "before"),
    ("2024-01-01 00:10:00,1;5", "not a number"),
    ("2024-01-01 00:10:00,0x10", "not a number"),
    ("", "not timestamp,value"),
    ("2024-01-01 00:10:00," + "1" * 5000, "longer than"),
])
def test_a_bad_row_is_named_and_what_came_before_it_answered(line, words):
    done = score(f"timestamp,value\n2024-01-01 00:00:00,1\n{line}\n2024-01-01 00:20:00,1\n", code=2)
    assert "line 3" in done.stderr and words in done.stderr
    assert done.stdout == "timestamp,score\n2024-01-01 00:00:00,0\n"


def test_values_at_the_edge_of_numbers():
    values = plain(2)
    for i, odd in enumerate(["nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "1e999", "-0"]):
        values[350 + 10 * i] = odd
    scores = [float(row[1]) for row in score(rows(values))[1:]]
    assert len(scores) == len(values)
    assert all(0 <= s <= 1 for s in scores)


@pytest.mark.parametrize("line", ["yesterday,1", "", ",1", "timestamp,"])
def test_a_bad_first_row_is_no_header(line):
    done = score(f"{line}\n2024-01-01 00:20:00,1\n", code=2)
    assert "line 1" in done.stderr and done.stdout == ""


def test_a_byte_order_mark_is_passed_over():
    assert score("\ufefftimestamp,value\n2024-01-01 00:00:00,1\n") == score("timestamp,value\n2024-01-01 00:00:00,1\n")
    assert score("\ufeff2024-01-01 00:00:00,1\n") == score("2024-01-01 00:00:00,1\n")


def test_a_value_too_large_for_a_number_is_infinite():
    def after(odd):
        values = plain(2)
        values[350] = odd
        return score(rows(values))
    assert after("1e999") == after("inf")
    assert after("1e999")[1 + 350][1] == "0"


def test_a_line_that_never_ends_is_refused_at_once():
    process = subprocess.Popen([paths.FLEETWARD, "detect", "score"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        process.stdin.write(b"1" * 100000)
        process.stdin.flush()
        assert process.wait(timeout=60) == 2
    except BrokenPipeError:
        assert process.wait(timeout=60) == 2
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def test_a_live_pipe_sees_each_score():
    with subprocess.Popen([paths.FLEETWARD, "detect", "score"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            for i in range(3):
                process.stdin.write(f"{START + i * STEP},{i}\n".encode())
                process.stdin.flush()
                assert process.stdout.readline() == f"{START + i * STEP},0\n".encode()
        finally:
            process.kill()


def fleet_rows(change, things=8, days=8, firmware=None):
    """Rows of a fleet of one kind; change(thing, i, value) -> value."""
    noise = random.Random(2)
    lines = ["timestamp,device,metric,value"]
    for i in range(288 * days):
        for thing in range(things):
            value = change(thing, i, daily(noise, i, 1000 + 50 * thing))
            lines.append(f"{stamp(i)},camera-{thing:02d},bytes,{value}")
    return "\n".join(lines) + "\n"


def test_what_all_of_a_kind_do_counts_for_less_than_what_one_does():
    begin = 288 * 7
    # A new firmware doubles the traffic of all within an hour; or only one device does that.
    alone = score(fleet_rows(lambda thing, i, v: v * 2 if thing == 5 and i >= begin + 8 else v), "--fleet")
    all_of_them = score(fleet_rows(lambda thing, i, v: v * 2 if i >= begin + 2 * thing - 2 else v), "--fleet")
    assert alone[0] == ["timestamp", "device", "metric", "score"]

    def highest(out):
        return max(float(r[3]) for r in out[1:] if r[1] == "camera-05" and stamp(begin) <= r[0] < stamp(begin + 30))

    assert highest(alone) >= 0.70
    assert highest(all_of_them) < highest(alone)


@pytest.mark.parametrize("row", ["2024-01-01 00:00:00,camera-01,5", "2024-01-01 00:00:00,,bytes,5",
                                 "2024-01-01 00:00:00,camera-01,bytes,5,6"])
def test_bad_rows_of_a_fleet(row):
    assert "line 2" in score("timestamp,device,metric,value\n" + row + "\n", "--fleet", code=2).stderr


def test_a_bad_option_is_refused():
    for options in (["--step", "0"], ["--step", "x"], ["--steps", "5"]):
        assert subprocess.run([paths.FLEETWARD, "detect", "score", *options], capture_output=True,
                              stdin=subprocess.DEVNULL).returncode != 0
