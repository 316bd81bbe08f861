"""Files go in as they are and come out by path, each with its own error."""

import os

import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from harness import jobs

R = result_pb2
ENOENT = 2


def output(path, **fields):
    return process_pb2.Output(path=path, **fields)


def by_path(result):
    return {item.path: item for item in result.outputs}


def test_inputs_arrive_in_directories_that_are_made(api):
    data = os.urandom(100_000)
    result = api.shell(
        "sha256sum < deep/er/still/data; cat /tmp/x/note /dev/shm/shared",
        inputs={"deep/er/still/data": data, "/tmp/x/note": b"n",
                "/dev/shm/shared": b"s"})
    import hashlib
    assert result.stdout.data.startswith(
        hashlib.sha256(data).hexdigest().encode())
    assert result.stdout.data.endswith(b"-\nns")


def modes_and_writing(api, **fields):
    """(mode in octal, whether it can be written, chmod'ed, removed)."""
    process = jobs.make_process(
        "/bin/sh", "-c", "stat -c %a file; echo > file; echo $?;"
        "chmod 777 file; echo $?; rm -f file; echo $?")
    process.inputs.add(path="file", **fields).source.data = b"x"
    mode, *codes = api.execute(process).process.stdout.data.split()
    return (int(mode, 8), *(code == b"0" for code in codes))


def test_a_read_only_input_is_the_program_s_to_read_and_remove(api):
    assert modes_and_writing(api) == (0o444, False, False, True)
    assert modes_and_writing(api, executable=True) == (
        0o555, False, False, True)


def test_a_writable_input_is_the_program_s_own(api):
    assert modes_and_writing(api, writable=True) == (0o644, True, True, True)
    assert modes_and_writing(api, writable=True, executable=True) == (
        0o755, True, True, True)


def test_the_directories_made_for_inputs_are_the_program_s(api):
    result = api.shell("touch a/b/new && stat -c %u a/b",
                       inputs={"a/b/file": b""})
    assert result.stdout.data == b"1000\n"


def test_an_empty_input(api):
    result = api.run("/usr/bin/wc", "-c", "empty", inputs={"empty": b""})
    assert result.stdout.data == b"0 empty\n"


def test_odd_names(api):
    name = "a b\n'\"$;*-ü"
    result = api.run("/bin/cat", name, inputs={name: b"odd"}, outputs=[name])
    assert result.stdout.data == b"odd"
    assert by_path(result)[name].data == b"odd"


def test_a_thousand_inputs(api):
    inputs = {f"d{i % 10}/f{i}": b"%d" % i for i in range(1000)}
    result = api.shell("find . -type f | wc -l", inputs=inputs)
    assert result.stdout.data == b"1000\n"


def test_outputs_come_back_in_the_order_asked(api):
    result = api.shell("printf b > b; mkdir d; printf '\\000\\377' > d/a",
                       outputs=["d/a", "b", "/work/b2"])
    assert [item.path for item in result.outputs] == ["d/a", "b", "/work/b2"]
    assert result.outputs[0].data == b"\x00\xff"
    assert result.outputs[1].data == b"b"


def test_executable_is_told(api):
    result = api.shell("echo > x; chmod 755 x; echo > y", outputs=["x", "y"])
    assert [item.executable for item in result.outputs] == [True, False]


def test_an_unreadable_output_is_collected(api):
    result = api.shell("echo hidden > x; chmod 000 x", outputs=["x"])
    assert by_path(result)["x"].data == b"hidden\n"


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$", "sleep 20"])
def test_outputs_are_collected_however_it_ended(api, script):
    result = api.shell("echo done > x; " + script, outputs=["x"],
                       limits=dict(wall_time=0.7))
    assert result.outcome not in (jobs.SUCCEEDED, R.OUTCOME_OUTPUT_ERROR)
    assert by_path(result)["x"].data == b"done\n"


BAD_OUTPUTS = {
    "missing": ("true", R.FILE_ERROR_REASON_NOT_FOUND),
    "directory": ("mkdir directory", R.FILE_ERROR_REASON_NOT_REGULAR),
    "link": ("ln -s /etc/passwd link", R.FILE_ERROR_REASON_SYMLINK),
    "loop": ("ln -s loop loop", R.FILE_ERROR_REASON_SYMLINK),
    "fifo": ("mkfifo fifo", R.FILE_ERROR_REASON_NOT_REGULAR),
    "socket": ("python3 -c 'import socket;"
               "socket.socket(socket.AF_UNIX).bind(\"socket\")'",
               R.FILE_ERROR_REASON_NOT_REGULAR),
    "large": ("head -c 101 /dev/zero > large", R.FILE_ERROR_REASON_TOO_LARGE),
    "file/below": ("echo > file", R.FILE_ERROR_REASON_PARENT_NOT_DIRECTORY),
    "up/passwd": ("ln -s /etc up", R.FILE_ERROR_REASON_SYMLINK),
}


def test_each_bad_output_has_its_error_and_the_others_are_intact(api):
    script = "; ".join(script for script, _ in BAD_OUTPUTS.values())
    outputs = [output(path, limit_bytes=100) for path in BAD_OUTPUTS]
    outputs.insert(4, output("good", limit_bytes=100))
    result = api.shell(f"{script}; head -c 100 /dev/zero > good",
                       outputs=outputs)
    found = by_path(result)
    assert result.outcome == R.OUTCOME_OUTPUT_ERROR
    assert result.exit_code == 0
    assert found["good"].data == bytes(100)
    reasons = {path: R.FileErrorReason.Name(found[path].error.reason)
               for path in BAD_OUTPUTS}
    assert reasons == {path: R.FileErrorReason.Name(reason)
                       for path, (_, reason) in BAD_OUTPUTS.items()}
    for path in BAD_OUTPUTS:
        assert found[path].error.path == path
        assert found[path].error.message
    assert found["missing"].error.error_number == ENOENT


def test_a_missing_optional_output_is_no_error(api):
    result = api.shell("echo > there", outputs=[
        output("missing", optional=True), output("there", optional=True)])
    assert result.outcome == jobs.SUCCEEDED
    assert [item.path for item in result.outputs] == ["there"]


def test_an_output_error_does_not_hide_a_bad_exit(api):
    result = api.shell("exit 4", outputs=["missing"])
    assert result.outcome == jobs.NONZERO_EXIT
    assert by_path(result)["missing"].HasField("error")


def test_an_output_that_grows_for_ever_by_being_sparse(api):
    result = api.shell("truncate -s 8G sparse",
                       outputs=["sparse"], limits=dict(file_size_bytes=16 << 30))
    assert by_path(result)["sparse"].error.reason == (
        R.FILE_ERROR_REASON_TOO_LARGE)


def test_outputs_beyond_the_room_of_the_answer(api):
    budget = api.info().inline_budget_bytes
    result = api.shell(f"for f in a b c; do head -c {budget // 2} /dev/zero"
                       " > $f; done", outputs=["a", "b", "c"],
                       limits=dict(workspace_bytes=4 * budget))
    kinds = [item.WhichOneof("content") for item in result.outputs]
    assert kinds.count("error") >= 1
    assert kinds[0] == "data"
    for item in result.outputs:
        if item.WhichOneof("content") == "error":
            assert item.error.reason == R.FILE_ERROR_REASON_TOO_LARGE


def test_inputs_beyond_the_workspace_are_an_input_error(api):
    process = jobs.make_process("/bin/true",
                                limits=dict(workspace_bytes=1 << 20))
    process.inputs.add(path="big", writable=True).source.data = bytes(2 << 20)
    result = api.execute(process).process
    assert result.outcome == R.OUTCOME_INPUT_ERROR
    assert result.WhichOneof("exit") is None
    assert result.input_errors[0].path == "big"
    assert result.input_errors[0].reason == R.FILE_ERROR_REASON_NO_SPACE


def test_nothing_of_one_run_is_seen_by_the_next(api):
    for _ in range(2 * len(api.workers())):
        result = api.shell(
            "find /work /tmp /dev/shm -mindepth 1; echo > /work/a;"
            "echo > /tmp/b; echo > /dev/shm/c")
        assert result.stdout.data == b""
        assert result.exit_code == 0
