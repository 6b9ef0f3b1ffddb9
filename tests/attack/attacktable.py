"""Every attack that is known, what comes of it, and the tests that make it. `make attacks` runs them and prints the
table; `test_attack_table.py` holds that each row names tests that are there, and that no test is without a row."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
TESTS = HERE.parent


class Row(NamedTuple):
    """`refused`: the answer says no. `contained`: it is answered, and does no harm. `open`: it works; `reason` says
    what keeps people safe until it does not. A test is `FILE` or `FILE::NAME`, below `tests`."""

    attack: str
    outcome: Literal["refused", "contained", "open"]
    tests: tuple[str, ...] = ()
    reason: str = ""


ROWS = (
    # the operator's browser
    Row(
        "a script in a MAC, an address or a name that a machine sends, seen by an operator who is logged in",
        "contained",
        ("attack/test_stored_script.py", "attack/test_v1_answers.py"),
    ),
    Row(
        "another site that reads, frames or sends forms, with the operator's login",
        "refused",
        (
            "attack/test_other_site.py",
            "unit/server/test_web.py::test_a_form_of_another_site_is_refused",
            "unit/server/test_web.py::test_the_cookie_reads_the_api_but_changes_nothing_there",
        ),
    ),
    Row(
        "a login that leads to another site",
        "contained",
        ("unit/server/test_web.py::test_the_login_leads_nowhere_else",),
    ),
    Row(
        "a wrong token, a forged cookie",
        "refused",
        ("unit/server/test_web.py::test_a_wrong_token_and_a_forged_cookie_open_nothing",),
    ),
    Row(
        "an answer to a machine on the operators' address, or an operator's path on the machines'",
        "refused",
        ("attack/test_sides.py",),
    ),
    # who is a machine
    Row(
        "a machine that binds another one's MAC, and so decides what that one boots",
        "refused",
        ("attack/test_next_boot.py",),
    ),
    Row(
        "a serial number that is the id or the MAC of another machine",
        "refused",
        ("attack/test_machine_word.py",),
    ),
    Row(
        "a machine that says that it was called like another one", "refused", ("attack/test_former_name.py",)
    ),
    Row(
        "a second client under the serial number of a machine that is there",
        "refused",
        ("unit/server/test_agent_v2.py::test_a_second_claim_of_an_identity_is_refused_and_shown",),
    ),
    Row(
        "a report about another machine's job",
        "refused",
        ("unit/server/test_agent_v2.py::test_the_report_of_another_machines_job_changes_nothing",),
    ),
    Row(
        "a job marked failed or done by Cloudboot v1, by who knows the serial number",
        "refused",
        (
            "attack/test_v1_policy.py::test_who_knows_a_serial_number_alone_marks_no_job_failed_or_done",
            "attack/test_v1_policy.py::test_progress_goes_forward_only",
        ),
    ),
    Row(
        "scripts with passwords, answer files with root hashes, networks, read by Cloudboot v1",
        "refused",
        (
            "attack/test_v1_policy.py::test_a_machine_that_nobody_confirmed_gets_no_order_and_is_shown_as_new",
            "attack/test_v1_policy.py::test_scripts_with_passwords_go_to_the_address_that_asked_first",
            "attack/test_v1_policy.py::test_nothing_of_a_queued_machine_is_read",
            "attack/test_v1_policy.py::test_the_device_row_is_read_by_who_works_on_its_job",
        ),
    ),
    Row(
        "a machine taken over by Cloudboot v1 from another address, while it is there or away",
        "refused",
        (
            "attack/test_v1_policy.py::test_another_address_does_not_take_a_machine_over_while_its_agent_is_heard",
            "attack/test_v1_policy.py::test_a_confirmed_machine_is_not_described_anew_from_another_address",
            "attack/test_v1_policy.py::test_a_machine_whose_agent_speaks_v2_is_not_taken_over_by_v1_while_it_is_away",
        ),
    ),
    Row(
        "an installer's call without the job's token, with one that was guessed, with one of an earlier job",
        "refused",
        (
            "attack/test_v1_policy.py::test_an_installer_is_known_by_its_token_or_its_address",
            "attack/test_v1_policy.py::test_an_installer_with_the_address_that_the_operator_set_is_known",
            "attack/test_v1_policy.py::test_the_installer_of_a_v2_job_is_known_as_well",
            "attack/test_v1_policy.py::test_a_token_is_of_one_job_and_cannot_be_guessed",
        ),
    ),
    Row(
        "a script that became another one after it was approved",
        "refused",
        (
            "attack/test_v1_policy.py::test_scripts_that_changed_after_they_were_approved_are_not_sent",
            "attack/test_v1_policy.py::test_scripts_that_changed_after_they_were_looked_at_make_no_job",
        ),
    ),
    Row(
        "a machine that registers, whoever it says to be, before somebody confirmed it: an order, a secret",
        "refused",
        (
            "attack/test_clone.py::test_who_registers_under_the_name_of_an_expected_machine_gets_nothing",
            "unit/server/test_standing.py::test_a_new_machine_is_shown_and_gets_no_order",
        ),
    ),
    Row(
        "a clone of a machine that is away: its order, its secrets, its place",
        "refused",
        ("attack/test_clone.py",),
    ),
    Row(
        "a forged line in a job's log, or its end, by a boot that is not believed",
        "refused",
        (
            "attack/test_clone.py::test_a_clone_writes_nothing_into_the_log_of_a_job",
            "attack/test_clone.py::test_who_registers_under_the_name_of_an_expected_machine_writes_into_no_log_of_its_job",
            "attack/test_clone.py::test_a_clone_that_says_the_boot_id_of_the_machine_says_nothing_of_its_job",
            "attack/test_clone.py::test_a_clone_does_not_end_a_job_that_the_operator_cancelled",
        ),
    ),
    Row(
        "a boot that says what a machine says whose words were compared in an earlier boot: secrets after words",
        "refused",
        ("attack/test_other_boot.py",),
    ),
    Row(
        "a machine taken from its v1 agent by a v2 client that knows its MACs, or kept from it by one that is doubted",
        "refused",
        (
            "attack/test_v1_policy.py::test_a_client_of_v2_at_another_address_does_not_take_a_machine_from_its_v1_agent",
            "attack/test_v1_policy.py::test_a_clone_that_speaks_v2_keeps_no_v1_agent_out",
        ),
    ),
    Row(
        "a machine, its job and its installer's answers, kept by a v1 client from which an operator took them",
        "refused",
        (
            "attack/test_v1_policy.py::test_a_machine_that_was_taken_from_a_v1_agent_does_not_belong_to_its_address_any_more",
            "attack/test_v1_policy.py::test_after_a_release_the_address_of_the_agent_reads_no_answer_file",
        ),
    ),
    Row(
        "a man in the middle of the step from HTTP to TLS",
        "contained",
        ("unit/server/test_boot_words.py", "unit/agent/test_changeover.py"),
    ),
    Row(
        "secrets of a job, read on the wire, or with a session that was read there",
        "refused",
        ("unit/server/test_secrecy.py", "attack/test_exposed_session.py"),
    ),
    Row(
        "a job of Cloudboot v1 that somebody ends, whose scripts or answer files he reads",
        "refused",
        ("attack/test_v1_policy.py",),
    ),
    Row(
        "the certificate of another authority, or of another server",
        "refused",
        ("unit/server/test_authority.py",),
    ),
    Row(
        "another address in X-Forwarded-For, and https in X-Forwarded-Proto, over http",
        "refused",
        ("attack/test_forwarded.py",),
    ),
    Row(
        "the operator token, of a command that goes by http, to another certificate or to another server",
        "refused",
        ("attack/test_operator_token.py", "unit/server/test_login.py"),
    ),
    Row(
        "another authority behind the true one, in the file that `bootos login` shows to be compared",
        "refused",
        ("attack/test_shown_authority.py",),
    ),
    Row(
        "a server whose answers and files come a byte at a time, or never end, for the machines that ask it",
        "contained",
        ("attack/test_hostile_server.py",),
    ),
    # the operator's shell
    Row(
        "line ends and escapes in what a machine says, on the operator's terminal",
        "contained",
        ("attack/test_forged_line.py",),
    ),
    Row(
        "a model, vendor or name with a command in it, in a hint that is copied into a shell",
        "contained",
        (
            "attack/test_boot_text.py::test_no_hint_of_a_command_is_another_command_in_the_shell_that_it_is_copied_to",
        ),
    ),
    # what boot loaders and installers read
    Row(
        "a serial number with commands of pxelinux, GRUB, iPXE or a shell in what the machine boots",
        "contained",
        (
            "attack/test_boot_text.py::test_a_serial_number_is_one_word_for_every_loader",
            "attack/test_boot_text.py::test_a_serial_number_with_a_line_end_adds_no_line",
            "attack/test_boot_text.py::test_whatever_a_menu_holds_each_renderer_writes_it_as_one_word",
        ),
    ),
    Row(
        "a setting with a command in it, in the file that an installer sources",
        "refused",
        (
            "attack/test_v1_answers.py::test_an_address_with_a_scope_is_refused_as_a_setting",
            "attack/test_v1_answers.py::test_a_shell_that_sources_the_values_reads_them_and_runs_nothing",
        ),
    ),
    # what a body holds
    Row(
        "bytes that are no UTF-8, JSON or YAML nested a thousand deep, digits of other scripts, NUL, lone surrogates",
        "refused",
        (
            "attack/test_hostile_body.py::test_a_hostile_body_of_an_agent_is_refused",
            "attack/test_hostile_body.py::test_a_hostile_body_of_a_v1_agent_is_an_error_in_the_form_of_v1",
            "attack/test_hostile_body.py::test_a_hostile_body_of_an_operator_is_refused",
            "attack/test_hostile_body.py::test_what_is_nested_too_deep_inside_of_a_saved_state_is_refused",
            "attack/test_hostile_body.py::test_a_character_that_no_database_keeps_is_shown_as_one_that_is_none",
        ),
    ),
    Row(
        "numbers of thousands of digits, beyond 64 bits, or that no id has",
        "refused",
        (
            "attack/test_hostile_body.py::test_a_number_that_no_database_keeps_is_refused",
            "attack/test_hostile_body.py::test_a_number_that_no_id_has_is_refused",
            "attack/test_hostile_body.py::test_a_poll_that_waits_for_a_time_that_is_none_is_refused_or_waits_no_longer",
            "attack/test_hostile_body.py::test_a_range_of_any_length_is_answered",
        ),
    ),
    Row(
        "a body of megabytes, from somebody without a session",
        "refused",
        (
            "attack/test_hostile_body.py::test_a_body_that_is_too_large_is_refused_with_the_size_that_is_taken",
            "attack/test_hostile_body.py::test_a_large_body_is_read_for_a_session_only",
        ),
    ),
    # time, memory and disk
    Row(
        "registrations without end, under new names",
        "refused",
        (
            "attack/test_flood.py::test_who_registers_too_often_is_told_how_long_to_wait",
            "attack/test_flood.py::test_of_the_new_machines_of_an_address_the_one_that_is_silent_for_longest_goes",
            "attack/test_flood.py::test_a_new_machine_is_refused_while_all_of_its_address_are_alive",
            "attack/test_flood.py::test_machines_that_an_operator_knows_do_not_count_and_never_go",
            "attack/test_flood.py::test_who_registers_by_cloudboot_v1_too_often_is_refused",
        ),
    ),
    Row(
        "log lines without end",
        "contained",
        (
            "attack/test_flood.py::test_the_log_of_a_new_machine_is_cut_and_one_line_says_so",
            "attack/test_flood.py::test_the_log_of_a_job_is_cut_and_the_job_goes_on",
        ),
    ),
    Row(
        "an inventory of endless lists and texts, drivers without end, a report with too large a part",
        "contained",
        (
            "attack/test_flood.py::test_an_inventory_of_endless_lists_and_texts_is_cut_and_its_notes_say_so",
            "attack/test_flood.py::test_the_limits_of_the_site_count_for_inventories_of_any_protocol_and_of_who_is_not_believed",
            "attack/test_flood.py::test_what_an_agent_calls_its_drivers_is_kept_as_far_as_drivers_go",
            "attack/test_flood.py::test_an_inventory_or_a_state_of_a_report_that_is_too_large_is_left_out",
            "attack/test_flood.py::test_a_line_that_is_too_long_is_cut_and_so_is_the_last_word_of_a_job",
        ),
    ),
    Row(
        "a new machine, or a clone, that boots again and again, each time with an inventory and a log",
        "contained",
        (
            "attack/test_flood.py::test_a_new_machine_that_boots_without_end_keeps_one_boot_and_its_log",
            "attack/test_flood.py::test_clones_that_boot_without_end_leave_one_inventory_and_one_log",
            "attack/test_flood.py::test_who_boots_without_end_under_the_name_of_an_expected_machine_leaves_one_log",
        ),
    ),
    Row(
        "connections that say nothing, half a head, half a handshake, a body without its end",
        "refused",
        ("attack/test_connection.py", "unit/server/test_server_crowd.py"),
    ),
    Row(
        "a request that comes with an earlier one, and never ends",
        "refused",
        ("attack/test_connection.py::test_what_comes_with_an_earlier_request_has_a_deadline_of_its_own",),
    ),
    Row(
        "answers that nobody reads, by all connections of an address, for the memory that they hold",
        "contained",
        ("attack/test_connection.py::test_clients_that_do_not_read_cost_little_memory",),
    ),
    Row(
        "all lines kept busy from some addresses, by orders that are waited for and answers that are read slowly",
        "contained",
        ("unit/server/test_server_crowd.py::test_who_keeps_all_lines_busy_keeps_nobody_out",),
    ),
    Row(
        "first registrations and jobs at the same moment, and a second process, on PostgreSQL",
        "contained",
        ("unit/server/test_postgres.py",),
    ),
    # HTTP
    Row("a path that leads out of what is served, or a hidden file", "refused", ("attack/test_path.py",)),
    Row(
        "a manifest, or a piece of a file, with a name that leads elsewhere",
        "refused",
        (
            "attack/test_path.py::test_a_manifest_that_names_a_place_outside_is_refused",
            "attack/test_path.py::test_a_piece_of_a_file_that_the_manifest_does_not_name_is_written_nowhere",
        ),
    ),
    Row(
        "a request that is hidden in another one (two lengths, codings, line ends of other kinds)",
        "refused",
        (
            "attack/test_request_wire.py::test_a_request_that_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read",
            "attack/test_request_wire.py::test_a_request_with_a_length_and_a_coding_is_the_last_of_its_connection",
            "attack/test_request_wire.py::test_what_the_length_counts_is_a_body_and_no_request",
        ),
    ),
    Row(
        "a Host or X-Forwarded-Host of another server",
        "contained",
        ("attack/test_request_wire.py::test_what_a_request_calls_the_server_comes_back_nowhere",),
    ),
    Row(
        "the server as a proxy",
        "refused",
        ("attack/test_request_wire.py::test_a_target_of_another_server_is_not_looked_for",),
    ),
)


def find_missing(rows: Iterable[Row]) -> list[str]:
    """The tests that rows name and that are not there."""
    missing = []
    for named in (name for row in rows for name in row.tests):
        file, _, function = named.partition("::")
        path = TESTS / file
        text = path.read_text() if path.is_file() else ""
        if not re.search(rf"^def {function or 'test_'}", text, re.MULTILINE):
            missing.append(named)
    return missing


class Outcomes:
    """A plugin of pytest that counts how the tests of each file and function ended."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        file, _, function = report.nodeid.removeprefix("tests/").partition("::")
        counted = self.passed if report.outcome == "passed" else self.failed
        counted.update((file, f"{file}::{function.partition('[')[0]}"))


def format_row(row: Row, outcomes: Outcomes) -> tuple[str, str, str]:
    """Attack, outcome, and by how many tests of which files."""
    passed, failed = (
        sum(counted[name] for name in row.tests) for counted in (outcomes.passed, outcomes.failed)
    )
    files = ", ".join(dict.fromkeys(name.partition("::")[0] for name in row.tests))
    if row.outcome == "open":
        return row.attack, "OPEN", row.reason
    if failed or not passed:
        return row.attack, "FAILED", f"{failed} of {passed + failed} tests: {files}"
    return row.attack, row.outcome, f"{passed} tests: {files}"


def main(arguments: Sequence[str]) -> int:
    """Run the tests of all rows and print the table; the arguments are more ones of pytest. Returns the exit code."""
    outcomes = Outcomes()
    names = dict.fromkeys(str(TESTS / name) for row in ROWS for name in row.tests)
    code = pytest.main(["-q", "--no-header", "-p", "no:xdist", *arguments, *names], plugins=[outcomes])
    table = Table("attack", "outcome", "by", box=SIMPLE)
    rows = [format_row(row, outcomes) for row in ROWS]
    for row in rows:
        table.add_row(*row)
    Console(width=200).print(table)
    counted = Counter(row[1] for row in rows)
    sys.stdout.write(", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items())) + "\n")
    return int(code) or int(bool(counted["FAILED"] or counted["OPEN"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
