"""Each ending of a program has its outcome, and only that."""

import signal

import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from harness import jobs
from harness.server import wait_until
from harness.time_scale import scaled

ENOENT, EACCES, ENOEXEC, ENOTDIR, ELOOP = 2, 13, 8, 20, 40


@pytest.mark.parametrize("code", [1, 2, 42, 127, 128, 137, 255])
def test_exit_codes(api, code):
    result = api.probe("exit", code)
    assert result.outcome == jobs.NONZERO_EXIT
    assert result.exit_code == code


@pytest.mark.parametrize("number", [
    signal.SIGHUP, signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV,
    signal.SIGTERM, signal.SIGXCPU, signal.SIGSYS, 34, 64])
def test_a_signal_of_its_own_is_signaled_and_no_limit(api, number):
    result = api.probe("signal", int(number))
    assert result.outcome == jobs.SIGNALED
    assert result.WhichOneof("exit") == "term_signal"
    assert result.term_signal == number
    assert not result.limits_hit


def test_the_job_says_what_decided(api):
    job = api.execute(jobs.make_process("/bin/false"))
    assert job.outcome == jobs.NONZERO_EXIT
    assert job.HasField("decided_by")


def test_an_orphan_does_not_hold_up_the_result(api):
    result = api.probe("daemon", 30, timeout=10)
    assert result.outcome == jobs.SUCCEEDED
    assert jobs.seconds(result.usage.wall_time) < 2


def assert_exec_failed(result, path, reason, error_number):
    assert result.outcome == result_pb2.OUTCOME_EXEC_FAILED
    assert result.WhichOneof("exit") is None
    error = result.exec_error
    assert (error.path, error.reason, error.error_number) == (
        path, reason, error_number)
    assert error.message


def test_exec_of_a_program_that_is_not_there(api):
    assert_exec_failed(api.run("/bin/no-such-program"), "/bin/no-such-program",
                       result_pb2.FILE_ERROR_REASON_NOT_FOUND, ENOENT)


def test_exec_of_a_name_that_is_nowhere_in_path(api):
    assert_exec_failed(api.run("no-such-program"), "no-such-program",
                       result_pb2.FILE_ERROR_REASON_NOT_FOUND, ENOENT)


def test_exec_of_a_file_that_is_not_executable(api):
    process = jobs.make_process("./data")
    process.inputs.add(path="data").source.text = "no program"
    result = api.execute(process).process
    assert_exec_failed(result, "./data",
                       result_pb2.FILE_ERROR_REASON_NOT_EXECUTABLE, EACCES)


def test_exec_of_a_format_nobody_knows(api):
    result = api.run("./data", inputs={"data": b"\x00\x01\x02\x03"})
    assert_exec_failed(result, "./data",
                       result_pb2.FILE_ERROR_REASON_NOT_EXECUTABLE, ENOEXEC)


def test_exec_of_a_directory(api):
    assert_exec_failed(api.run("/usr"), "/usr",
                       result_pb2.FILE_ERROR_REASON_NOT_EXECUTABLE, EACCES)


def test_exec_below_a_file(api):
    result = api.run("/bin/sh/x")
    assert_exec_failed(
        result, "/bin/sh/x",
        result_pb2.FILE_ERROR_REASON_PARENT_NOT_DIRECTORY, ENOTDIR)


def test_exec_of_a_script_without_its_interpreter(api):
    result = api.run("./script", inputs={"script": b"#!/no/such\n"})
    assert_exec_failed(result, "./script",
                       result_pb2.FILE_ERROR_REASON_NOT_FOUND, ENOENT)


def test_a_working_directory_that_is_not_there(api):
    result = api.run("/bin/true", working_directory="/work/nowhere")
    assert_exec_failed(result, "/work/nowhere",
                       result_pb2.FILE_ERROR_REASON_NOT_FOUND, ENOENT)


def test_a_working_directory_through_a_link_of_proc(api):
    result = api.run("/bin/true", working_directory="/proc/self/cwd")
    assert_exec_failed(result, "/proc/self/cwd",
                       result_pb2.FILE_ERROR_REASON_SYMLINK, ELOOP)


def test_a_call_by_another_architecture_is_a_violation(api):
    result = api.probe("foreign-call")
    assert result.outcome == result_pb2.OUTCOME_POLICY_VIOLATION
    assert result.violation.architecture == "i386"
    assert result.violation.system_call_number == 20
    assert result.violation.system_call == "getpid"


def test_a_signal_sys_of_its_own_is_no_violation(api):
    result = api.probe("signal", int(signal.SIGSYS))
    assert result.outcome == jobs.SIGNALED
    assert not result.HasField("violation")


def test_a_denied_call_is_an_errno_and_no_ending(api):
    result = api.probe("unshare-user")
    assert result.outcome == jobs.NONZERO_EXIT
    assert jobs.probe_report(result)["errno"] == 1  # EPERM


def test_job_timeout(api):
    request = jobs.make_request(jobs.make_process("/bin/sleep", "30"))
    request.job.timeout.FromMilliseconds(300)
    result = api.execution.Execute(request, timeout=20).result
    assert result.outcome == result_pb2.OUTCOME_JOB_TIMEOUT


def test_queue_timeout(api):
    sleepers = [api.start(jobs.make_process("/bin/sleep",
                                            f"{0.8 + scaled(0.2):g}"))
                for _ in range(len(api.workers()))]
    wait_until(lambda: set(api.worker_states()) == {"BUSY"}, 5)
    request = jobs.make_request(jobs.make_process("/bin/true"))
    request.job.queue_timeout.FromMilliseconds(200)
    result = api.execution.Execute(request, timeout=20).result
    assert result.outcome == result_pb2.OUTCOME_QUEUE_TIMEOUT
    assert result.process.WhichOneof("exit") is None
    for sleeper in sleepers:
        assert sleeper.result().result.outcome == jobs.SUCCEEDED


def test_figures_come_with_every_ending(api):
    for arguments in (("exit", 3), ("signal", 9), ("foreign-call",)):
        usage = api.probe(*arguments).usage
        assert usage.HasField("cpu_time")
        assert usage.HasField("wall_time")
        assert usage.peak_memory_bytes > 0


def test_output_written_before_a_bad_end_is_kept(api):
    result = api.shell("echo kept; kill -9 $$")
    assert result.outcome == jobs.SIGNALED
    assert result.stdout.data == b"kept\n"


def test_both_streams_full_at_once_do_not_lock_up(api):
    script = ("import os\n"
              "for i in range(64):\n"
              "  os.write(1, b'o' * 65536); os.write(2, b'e' * 65536)\n")
    result = api.python(script, limits=dict(output_bytes=1 << 20),
                        stdout=process_pb2.Capture())
    assert result.outcome == jobs.SUCCEEDED
    assert result.stdout.written_bytes == 64 << 16
    assert result.stderr.written_bytes == 64 << 16
