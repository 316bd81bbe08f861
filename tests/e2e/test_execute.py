"""A program runs and its answer comes back as it is."""

import concurrent.futures
import os
import statistics

from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from harness import jobs
from harness.time_scale import fewer
from harness.time_scale import scaled

ALL_BYTES = bytes(range(256)) * 256


def test_true_succeeds(api):
    result = api.execute(jobs.make_process("/bin/true"))
    assert result.outcome == jobs.SUCCEEDED
    assert not result.HasField("decided_by")
    process = result.process
    assert process.outcome == jobs.SUCCEEDED
    assert process.WhichOneof("exit") == "exit_code"
    assert process.exit_code == 0
    assert not process.limits_hit
    assert process.stdout.data == b"" and process.stderr.data == b""


def test_python_prints_42(api):
    result = api.python("print(42)")
    assert result.stdout.data == b"42\n"
    assert result.stdout.written_bytes == 3
    assert not result.stdout.truncated


def test_the_unix_socket_answers_too(server):
    channel = server.new_channel(server.unix_address)
    result = jobs.Api(channel).run("/bin/echo", "over", "unix")
    assert result.stdout.data == b"over unix\n"
    channel.close()


def test_a_program_is_found_in_path(api):
    result = api.run("echo", "found")
    assert result.stdout.data == b"found\n"


def test_stdout_and_stderr_are_apart(api):
    result = api.shell("echo out; echo err >&2")
    assert result.stdout.data == b"out\n"
    assert result.stderr.data == b"err\n"


def test_stderr_to_stdout_keeps_the_order(api):
    result = api.shell("echo 1; echo 2 >&2; echo 3", stderr_to_stdout=True)
    assert result.stdout.data == b"1\n2\n3\n"
    assert not result.HasField("stderr")


def test_binary_data_passes_unchanged(api):
    result = api.run("/bin/cat", stdin=ALL_BYTES)
    assert result.stdout.data == ALL_BYTES


def test_stdin_text_arrives(api):
    process = jobs.make_process("/bin/cat")
    process.stdin.text = "grüße\n"
    assert api.execute(process).process.stdout.data == "grüße\n".encode()


def test_stdin_unset_is_empty(api):
    result = api.shell("wc -c; readlink /proc/self/fd/0")
    assert result.stdout.data.split()[0] == b"0"
    assert result.stdout.data.split()[1] == b"/dev/null"


def test_stdin_larger_than_a_pipe_that_nobody_reads(api):
    result = api.run("/bin/true", stdin=b"x" * (1 << 20))
    assert result.outcome == jobs.SUCCEEDED


def test_stdin_larger_than_a_pipe_arrives(api):
    data = os.urandom(3 << 20)
    process = jobs.make_process("/usr/bin/sha256sum", stdin=data)
    import hashlib
    digest = hashlib.sha256(data).hexdigest().encode()
    assert api.execute(process).process.stdout.data.startswith(digest)


def test_prefer_text_gives_text_where_it_is_utf8(api):
    prefer = process_pb2.Capture(prefer_text=True)
    result = api.run("/bin/echo", "ä", stdout=prefer)
    assert result.stdout.text == "ä\n"
    result = api.run("/bin/cat", stdin=b"\xff\xfe", stdout=prefer)
    assert result.stdout.WhichOneof("content") == "data"
    assert result.stdout.data == b"\xff\xfe"


def test_discarded_output_is_not_returned(api):
    result = api.shell("echo out; echo err >&2",
                       stdout=process_pb2.Capture(discard=True))
    assert not result.HasField("stdout")
    assert result.stderr.data == b"err\n"


def test_env_is_what_was_asked_and_the_defaults_of_the_image(api):
    result = api.run("/usr/bin/env", env={"A": "b", "LANG": "C"},
                     secret_env={"S": "t", "A": "secret wins"})
    env = dict(line.split("=", 1)
               for line in result.stdout.data.decode().splitlines())
    assert env["A"] == "secret wins"
    assert env["S"] == "t"
    assert env["LANG"] == "C"
    assert env["HOME"] == "/work"
    assert set(env) == {"A", "S", "LANG", "HOME", "PATH"}


def test_the_working_directory_is_work_unless_another_is_asked(api):
    assert api.run("/bin/pwd").stdout.data == b"/work\n"
    result = api.run("/bin/pwd", working_directory="/tmp")
    assert result.stdout.data == b"/tmp\n"
    result = api.run("/bin/pwd", working_directory="a/b",
                     inputs={"a/b/file": b""})
    assert result.stdout.data == b"/work/a/b\n"


def test_a_relative_program_is_looked_up_in_the_working_directory(api):
    result = api.run("./go", inputs={"go": b"#!/bin/sh\necho went\n"})
    assert result.stdout.data == b"went\n"


def test_usage_and_phases_are_plausible(api):
    job = api.execute(jobs.probe("burn", 0.2))
    usage = job.process.usage
    assert 0.2 <= jobs.seconds(usage.cpu_time) < 0.2 + scaled(0.2)
    assert jobs.seconds(usage.wall_time) >= 0.19
    assert usage.peak_processes == 1
    # Reading the two halves and the whole takes three reads.
    halves = jobs.seconds(usage.user_time) + jobs.seconds(usage.system_time)
    assert abs(halves - jobs.seconds(usage.cpu_time)) < scaled(0.05)
    phases = job.process.phases
    assert abs(jobs.seconds(phases.run) - jobs.seconds(usage.wall_time)) < scaled(0.02)
    parts = sum(jobs.seconds(getattr(phases, name)) for name in
                ("queue", "prepare", "run", "collect"))
    assert parts <= jobs.seconds(job.total_duration) + 0.01
    assert jobs.seconds(job.queue_duration) < 5


# Waits, is made to wait, and says what it was counted for.
COUNTED = """
import resource, time
for _ in range(20):
    time.sleep(0.001)
while time.process_time() < 0.3:
    pass
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_nvcsw, usage.ru_nivcsw, usage.ru_minflt, usage.ru_majflt)
"""


def test_switches_and_faults_are_those_of_the_program(api):
    result = api.python(COUNTED, limits=dict(cpus=0.5, wall_time=scaled(20)))
    own = list(map(int, result.stdout.data.split()))
    usage = result.usage
    reported = (usage.voluntary_context_switches,
                usage.involuntary_context_switches, usage.minor_page_faults,
                usage.major_page_faults)
    # Its end comes on top.
    assert all(mine <= told <= mine + 100
               for mine, told in zip(own, reported)), (own, reported)
    waited, made_to_wait, minor, _ = own
    assert waited >= 20 and made_to_wait > 0 and minor > 0


# An orphan touches the pages of a file, of which none is huge, and says so.
# Then it ends, or the program does.
ORPHAN = """
import mmap, os, time
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        with open("/work/file", "w+b") as file:
            file.truncate(8 << 20)
            block = mmap.mmap(file.fileno(), 8 << 20)
        for at in range(0, 8 << 20, 4096):
            block[at] = 1
        os.write(writer, b"x")
        time.sleep({orphan})
        os._exit(0)
    os._exit(0)
os.wait()
os.read(reader, 1)
time.sleep({program})
"""


def test_faults_of_orphans_that_ended_before_it_are_counted(api):
    def faults(**pauses):
        result = api.python(ORPHAN.format(**pauses), limits=dict(
            wall_time=scaled(20)))
        assert result.outcome == jobs.SUCCEEDED
        return result.usage.minor_page_faults
    pages = 2048
    alone = faults(orphan=scaled(20), program=0)  # the control: it lives on
    assert alone + pages <= faults(orphan=0, program=scaled(0.1))


def test_wall_time_has_nothing_of_the_job_before(start_server):
    """What that left is taken down while the next program runs."""
    api = jobs.Api(start_server({"workers": {"count": 1}}).channel)

    def after(files):
        walls = []
        for _ in range(fewer(5, least=3)):
            api.python(f"for i in range({files}): open(f'/work/{{i}}', 'w')",
                       limits=dict(workspace_inodes=20_000, cpu_time=20,
                                   wall_time=scaled(20)))
            # Longer than it is left alone, and shorter than that takes.
            result = api.run("/bin/sleep", "0.11")
            walls.append(jobs.seconds(result.usage.wall_time))
        return statistics.median(walls)
    assert after(fewer(12_000, least=6_000)) < after(0) + scaled(0.015)


def test_cpu_time_of_the_sandbox_itself_is_not_counted(api):
    results = [api.probe("exit", 0) for _ in range(5)]
    # Exec and exit of a small static program: under a tick or two.
    assert sorted(jobs.seconds(result.usage.cpu_time)
                  for result in results)[2] < scaled(0.02)


def test_every_job_has_an_id_of_its_own(api):
    request = jobs.make_request(jobs.make_process("/bin/true"))
    ids = {api.execution.Execute(request, timeout=60).job_id
           for _ in range(3)}
    assert len(ids) == 3 and all(ids)


def test_the_name_comes_back(api):
    assert api.run("/bin/true", name="main").name == "main"


def test_answers_are_not_mixed_up_under_load(api):
    def run(number):
        return api.run("/bin/sh", "-c", f"echo {number}; exit {number % 7}")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, range(64)))
    for number, result in enumerate(results):
        assert result.stdout.data == f"{number}\n".encode()
        assert result.exit_code == number % 7


def test_more_jobs_than_workers_wait(api):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs_ = list(pool.map(
            lambda _: api.execute(jobs.make_process("/bin/sleep", "0.3")),
            range(6)))
    assert all(job.outcome == result_pb2.OUTCOME_SUCCEEDED for job in jobs_)
    assert max(jobs.seconds(job.queue_duration) for job in jobs_) > 0.3


def test_the_streams_can_be_opened_by_name(api):
    result = api.shell("echo out > /dev/stdout; echo err > /dev/stderr;"
                       "cat /dev/stdin", stdin=b"in")
    assert result.stdout.data == b"out\nin"
    assert result.stderr.data == b"err\n"
