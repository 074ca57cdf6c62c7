"""What is promised, and the tests that hold it to that."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]

# promise, how it is tested, tests by file (below `tests/`) and name
PROMISES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "No acknowledged answer is lost, no record is stored twice, text files are complete, and a kill "
        "costs at most the calls in flight and one group",
        "kill -9 at random, during startup, while a group is written, around the writing and renaming of a "
        "text file; a provider in another process counts requests",
        (
            "reliability/test_kills.py::test_kills_lose_nothing_double_nothing_and_cost_at_most_what_was_in_flight",
            "store/test_kill.py::test_kills_lose_nothing_acknowledged_and_double_nothing",
        ),
    ),
    (
        "No stored step of a call with tools is paid for again, and a tool that may run once does, whatever "
        "is killed; a call that waits for its tools holds no slot",
        "kill -9 while tools are run, with a provider in another process that keeps all conversations; "
        "tools, stops and broken stores in virtual time, and random evaluations broken off and resumed",
        (
            "reliability/test_tool_kills.py::test_no_stored_step_is_paid_for_twice_and_no_tool_that_may_run_once_runs_twice",
            "engine/test_tool_steps.py::test_a_call_that_waits_for_its_tools_holds_no_slot",
            "engine/test_tool_steps.py::test_a_step_is_committed_before_the_next_request",
            "engine/test_tool_steps.py::test_what_may_run_once_starts_when_that_is_stored",
            "engine/test_tool_worlds.py::test_whatever_happens_no_answer_is_lost_no_stored_step_paid_twice_and_every_run_ends",
        ),
    ),
    (
        "A change of a run that goes on is stored before it is acknowledged; what is paused or bounded "
        "starts nothing beyond that, no call is cancelled by it, and every run ends",
        "kill -9 within 10 ms of the acknowledgement; changes by chance in virtual time; a real provider's "
        "ledger",
        (
            "reliability/test_journal_kills.py::test_a_change_that_is_said_to_be_stored_survives_a_kill",
            "engine/test_changes.py::test_runs_end_whatever_is_changed_and_keep_to_it",
            "evaluation/test_run_control.py::test_fewer_in_flight_cancels_none_and_more_start_at_once",
            "evaluation/test_run_control.py::test_a_pause_starts_nothing_until_it_ends",
        ),
    ),
    (
        "A call whose worker is lost is made again before others, without using up a retry; no lane learns "
        "anything from that; an answer that comes late is kept if the call has none, and its cost always; "
        "every call ends once",
        "runs by chance in virtual time: attempts that are lost, late ends, times without workers, pauses, "
        "hedges, several lanes, cost caps, tools",
        (
            "engine/test_losses.py::test_random_losses_lose_nothing",
            "engine/test_losses.py::test_lanes_learn_nothing_from_workers_that_are_lost_or_were_away",
            "engine/test_losses.py::test_the_cost_of_a_late_answer_counts_though_its_call_is_over",
            "store/test_workers.py::test_a_late_end_takes_the_place_of_the_lost_attempt",
        ),
    ),
    (
        "Whatever dies or stops of a run on Ray (a worker, a node, the coordinator), no acknowledged answer "
        "is lost, no record is stored twice, and what is paid twice is at most what was in flight there; "
        "workers whose coordinator is gone send nothing after 5 s; reports are those of a run on one machine",
        "kill -9 and SIGSTOP of real processes of a real cluster, with a provider in another process that "
        "tells files apart; the same evaluation made both ways (more in the table below)",
        (
            "reliability/test_fleet.py::test_a_worker_that_is_killed_costs_no_answer",
            "reliability/test_fleet.py::test_a_report_is_the_same_whoever_makes_the_calls",
        ),
    ),
    (
        "Facts are learnt once from each input, each with its call, and none is lost when another takes its "
        "place, whatever is killed; a run and its resume recall the same",
        "kill -9 while facts are learnt and brought up to date, with a provider in another process; models "
        "that name facts which are not there",
        (
            "memory/test_kills.py::test_a_killed_run_goes_on_to_the_facts_of_an_undisturbed_one",
            "memory/test_update.py::test_updates_keep_all_history_and_go_in_order_of_the_rows",
            "memory/test_update.py::test_an_answer_that_names_what_is_not_there_changes_nothing_and_is_asked_again",
            "memory/test_commands.py::test_a_run_recalls_the_store_of_its_start_and_resumes_with_the_same_text",
            "memory/test_commands.py::test_a_second_process_is_refused_before_anything_is_asked",
        ),
    ),
    (
        "A disk that is full, missing, read-only, locked or damaged stops the run; stored answers stay, no "
        "call is sent again because of it, and the run can be resumed",
        "a small file system (of bytes and of files), a file-size limit, permissions, a second SQLite "
        "connection, truncated and damaged files",
        (
            "reliability/test_storage.py::test_a_full_disk_stops_the_run_and_room_lets_it_go_on",
            "reliability/test_storage.py::test_a_run_without_all_of_its_text_files_has_failed_and_a_resume_writes_them",
            "reliability/test_storage.py::test_a_file_that_may_not_grow_stops_the_run_and_what_came_before_is_kept",
            "reliability/test_storage.py::test_a_directory_that_may_not_be_written_is_an_error_before_any_call",
            "reliability/test_storage.py::test_a_directory_that_is_removed_stops_the_run",
            "reliability/test_storage.py::test_a_database_locked_by_another_program_is_waited_for_and_then_said",
            "reliability/test_storage.py::test_a_torn_journal_loses_its_end_and_nothing_else",
            "reliability/test_storage.py::test_damaged_pages_end_in_a_word_and_in_no_further_call",
            "reliability/test_storage.py::test_pages_damaged_under_a_run_end_it",
            "reliability/test_storage.py::test_a_newer_schema_is_left_alone",
        ),
    ),
    (
        "One process works on an evaluation at a time, whatever happens to the file of its lock",
        "a second process, with the lock's file there, removed and replaced while the first one runs",
        (
            "cli/commands/test_exit_status.py::test_a_second_process_on_one_id_is_refused",
            "reliability/test_storage.py::test_a_lock_that_is_removed_lets_no_two_processes_write",
            "store/test_writer.py::test_a_lock_that_was_replaced_is_noticed_before_anything_is_written",
        ),
    ),
    (
        "Resuming makes exactly the calls whose file, model or repeat has no answer yet; a changed setting "
        "is an error that names it",
        "files changed (also with the same size and time), renamed, duplicated, swapped, added, removed; "
        "every setting changed; models and providers added",
        (
            "reliability/test_identity.py::test_after_a_change_exactly_the_right_calls_are_made",
            "reliability/test_identity.py::test_a_changed_setting_is_an_error_that_names_it_and_makes_no_call",
            "reliability/test_identity.py::test_the_same_bytes_under_two_names_are_two_calls",
            "reliability/test_identity.py::test_the_same_model_at_two_providers_is_two_models",
            "reliability/test_identity.py::test_a_file_that_changes_between_plan_and_send_is_noticed_and_answered_once",
        ),
    ),
    (
        "Every fault of a provider becomes a failure of the right kind, in bounded time and memory; its slot "
        "is freed and the other calls continue",
        "the matrix below, over real sockets; one run of the command line that meets them all; the memory of "
        "a child process",
        (
            "reliability/test_faults.py::test_a_fault_comes_to_its_kind_in_time_and_the_next_call_works",
            "reliability/test_faults.py::test_a_run_that_meets_every_fault_on_every_wire_goes_on_to_its_end",
            "reliability/test_faults.py::test_a_reply_without_measure_costs_a_bounded_amount_of_memory",
            "reliability/test_faults.py::test_a_storm_of_rate_limits_costs_time_and_no_call",
        ),
    ),
    (
        "A stream that stalls is cut off after the timeout; the text received so far is kept, and does not "
        "count as an answer",
        "a provider that stops sending halfway",
        ("reliability/test_faults.py::test_a_run_that_meets_every_fault_on_every_wire_goes_on_to_its_end",),
    ),
    (
        "A key is sent only to the configured host, and appears in no file, log or message",
        "a redirect to a listener that counts connections; a search for the keys in everything that the "
        "tests leave behind",
        (
            "reliability/test_faults.py::test_a_redirect_takes_the_key_nowhere",
            "reliability/test_secrets.py::test_no_file_that_the_tests_left_holds_a_key",
            "cli/commands/test_failures.py::test_a_key_is_in_no_file_and_on_no_screen",
        ),
    ),
    (
        "Signals, a reader or terminal that goes away, streams that are closed or full, a suspended machine "
        "and a clock that is set back end or delay a run without losing anything; the exit status tells how "
        "it ended",
        "real signals, pseudo-terminals, pipes without a reader, /dev/full",
        (
            "cli/commands/test_exit_status.py::test_one_signal_lets_calls_in_flight_finish",
            "cli/commands/test_exit_status.py::test_two_interrupts_end_at_once",
            "cli/commands/test_exit_status.py::test_a_reader_that_goes_away_does_no_harm",
            "cli/commands/test_standard_streams.py::"
            "test_a_run_whose_streams_are_gone_makes_its_calls_and_tells_how_they_ended",
            "cli/commands/test_standard_streams.py::"
            "test_a_command_that_prints_fails_where_its_results_are_lost",
            "reliability/test_signals.py::test_a_clock_that_is_set_back_shortens_no_run",
            "reliability/test_signals.py::test_a_terminal_that_dies_ends_the_run_as_a_hangup_does",
            "reliability/test_signals.py::test_a_run_that_slept_longer_than_the_time_out_goes_on",
            "reliability/test_signals.py::test_nobody_reading_what_is_said_costs_no_answer",
        ),
    ),
    (
        "The second Ctrl-C ends the process within a second, whatever it does, before, during and after a "
        "run; what was acknowledged is there, and the terminal is as it was",
        "a main thread in Python, in C, in a lock, in a FIFO, at its end; a conversion, a listing, an event "
        "loop that stands still; a pseudo-terminal",
        (
            "cli/test_interrupts.py::test_whatever_the_main_thread_does",
            "cli/test_interrupts.py::test_a_conversion_under_way",
            "cli/test_interrupts.py::test_a_run_whose_loop_stands_still",
            "cli/test_interrupts.py::test_files_that_are_listed",
            "cli/test_interrupts.py::test_the_terminal_is_given_back",
        ),
    ),
    (
        "A file that takes all memory or time to convert, or crashes its converter, fails its own call "
        "alone, within the run's limit of 30 s and 1 GB (Linux); no process that converts outlives its call "
        "or the run, and none has a key",
        "poison files among good ones; damaged and hostile files of every type, 300 here, more in the table "
        "below; workers killed, stopped and cancelled; a parent killed by SIGKILL",
        (
            "inputs/workers/test_pool.py::test_a_file_that_takes_all_memory_fails_alone",
            "inputs/workers/test_pool.py::test_one_that_takes_too_long_is_given_up",
            "inputs/workers/test_pool.py::test_a_cancelled_call_ends_its_worker_and_no_other",
            "inputs/workers/test_pool.py::test_a_worker_that_dies_or_stands_still_fails_its_own_file",
            "inputs/workers/test_pool.py::test_a_parent_that_is_killed_leaves_no_worker",
            "inputs/workers/test_pool.py::test_a_worker_has_no_key_and_little_room",
            "inputs/test_hostile_files.py::test_a_poison_file_fails_alone",
            "inputs/test_hostile_files.py::test_files_of_every_type_that_are_damaged_or_mean_harm_end_well",
        ),
    ),
    (
        "The bytes of files in flight are bounded, and so is the memory of a run",
        "large files, measured from outside the process; a soak test with faults",
        (
            "reliability/test_memory.py::test_large_files_stay_within_their_bound",
            "reliability/test_memory.py::test_a_long_run_stays_flat_and_adds_up",
        ),
    ),
    (
        "Untrusted names and answers do no harm: nothing is written outside the output directory, and no "
        "answer controls a terminal, a spreadsheet or a page",
        "hostile ids, models, file names and replies",
        (
            "reliability/test_hostile.py::test_no_file_name_leads_out_of_the_output_directory",
            "reliability/test_hostile.py::test_no_model_name_leads_out_of_the_output_directory",
            "reliability/test_hostile.py::test_an_id_that_leads_elsewhere_is_refused",
            "reliability/test_hostile.py::test_what_is_no_regular_file_is_left_out",
            "reliability/test_hostile.py::test_an_answer_that_steers_a_terminal_is_shown_inert",
            "reliability/test_hostile.py::test_an_answer_is_no_formula_in_a_table_and_no_markup_in_a_page",
        ),
    ),
    (
        "A folder or database that came from somebody else has nothing written, removed, sent or run "
        "elsewhere: what umwelten did not make so is refused by its name",
        "links, FIFOs and directories in place of every file and directory; names that lead out, triggers, "
        "views without an end and journals in the database; a copy of what lies beside it",
        (
            "reliability/test_strangers.py::test_a_folder_with_links_that_lead_out_is_refused_before_a_call",
            "reliability/test_strangers.py::test_the_old_name_of_what_is_being_written_may_be_a_link",
            "reliability/test_strangers.py::test_a_database_has_no_file_sent_written_or_removed",
            "reliability/test_strangers.py::test_a_view_without_an_end_in_place_of_a_table_hangs_nothing",
            "store/test_foreign_folders.py::test_an_own_file_that_is_no_regular_file_is_refused_by_name",
            "store/test_foreign_folders.py::test_a_name_that_leads_elsewhere_is_made_anew",
            "store/test_foreign_folders.py::test_a_database_with_more_than_umwelten_makes_is_refused",
            "store/test_foreign_folders.py::test_a_journal_that_names_a_file_elsewhere_does_not_remove_it",
            "store/test_foreign_folders.py::test_an_interrupt_ends_a_query_that_would_not_end",
        ),
    ),
    (
        "A project's files send no key of the user elsewhere, read and write nothing outside of their folder "
        "and run nothing before the user has trusted them with it",
        "each kind of demand in umwelten.toml and .env, here and in a folder above, in profiles, through "
        "links and other users' files; a table of the places of key and address; a proxy that counts what "
        "comes",
        (
            "config/test_trust.py::test_a_key_goes_where_whoever_gave_it_says",
            "config/test_trust.py::test_a_dotenv_sends_only_what_is_in_it",
            "config/test_trust.py::test_files_that_lie_elsewhere_and_code_are_asked_about",
            "config/test_trust.py::test_another_users_file_has_only_that_users_files",
            "config/test_trust.py::test_trust_is_kept_for_one_user_and_read_from_no_other",
            "cli/test_trust.py::test_nothing_is_done_before_it_is_trusted",
            "cli/test_trust.py::test_a_library_asks_the_same",
        ),
    ),
    (
        "A database in which anything was changed, by chance or on purpose, however large its values, is "
        "read as it is or ends in an error in words",
        "one to three random changes of values, rows, schema, header and bytes, 12 here and thousands by "
        "`python -m benchmarks.databases`; rows larger than any of ours",
        (
            "reliability/test_databases.py::test_a_database_of_strangers_ends_in_words_or_a_right_answer",
            "reliability/test_databases.py::test_a_value_that_no_reply_has_is_an_error_in_words",
            "store/test_foreign_folders.py::test_a_row_of_a_size_that_none_of_ours_has_is_not_read",
            "store/test_foreign_folders.py::test_an_own_file_with_a_second_name_is_not_written",
        ),
    ),
    (
        "Completion runs nothing and changes no name: what Tab puts on the line arrives as it is",
        "hostile names of files, evaluations and models in bash, zsh and fish on a terminal",
        (
            "cli/test_real_shells.py::test_a_hostile_name_runs_nothing_and_arrives_as_it_is",
            "cli/test_completion_words.py::test_bash_reads_it_so_too",
            "cli/test_completion_words.py::test_what_fish_escapes_is_read_as_it_was",
            "cli/test_completion.py::test_a_name_that_would_be_read_as_an_option_is_not_offered_as_an_argument",
        ),
    ),
    (
        "What this machine lacks (descriptors, processes, memory) is never the fault of a file: its calls "
        "are made later or stay pending",
        "low limits of open files, here and for the whole process; no room for a process",
        (
            "attempts/test_local_trouble.py::test_a_file_for_which_there_is_no_descriptor_is_read_later",
            "attempts/test_local_trouble.py::test_a_connection_for_which_there_is_no_descriptor_is_made_later",
            "cli/commands/test_open_files.py::"
            "test_a_low_limit_of_open_files_lowers_the_calls_in_flight_and_fails_none",
            "store/test_writer.py::test_a_text_file_for_which_there_is_no_descriptor_is_written_later",
            "inputs/workers/test_pool.py::test_without_room_for_a_process_the_machine_is_to_blame",
        ),
    ),
    (
        "A key that a provider repeats, wherever in its reply, is shown and stored by nobody",
        "the key in every field of replies and failures, in pieces, encoded",
        (
            "attempts/test_key_mask.py::test_no_text_of_a_reply_holds_the_key",
            "attempts/test_key_mask.py::test_every_text_of_an_outcome_is_masked",
            "attempts/test_key_mask.py::test_pieces_hold_no_key_wherever_they_are_split",
        ),
    ),
    (
        "Long replies in flight share a bounded room, and all arrive",
        "replies that are larger together than the room",
        ("attempts/test_reply_room.py::test_long_replies_share_the_room_and_all_arrive",),
    ),
    (
        "No text of a file, an answer or a model makes a search slow; what a converter says is never a "
        "template",
        "long texts of the worst kind; errors that no converter of ours sends",
        (
            "test_linear_time.py::test_a_text_of_a_megabyte_takes_no_time",
            "inputs/workers/test_protocol.py::test_an_error_is_the_same_on_the_other_side",
            "inputs/workers/test_protocol.py::test_other_words_are_not_read",
        ),
    ),
    (
        "No MCP server outlives umwelten, however that ends, nor does what it started; one that does not "
        "start, dies or never answers fails its own calls alone, within bounds of time, and what a project's "
        "file sets up starts only once it is trusted",
        "servers of both eras of the protocol that others wrote, on stdio and over HTTP; one that hangs, "
        "dies, ignores SIGTERM and starts others; umwelten closed, ended and killed (more in the table "
        "below)",
        (
            "tools/mcp/test_server_processes.py::"
            "test_nothing_is_left_of_a_stubborn_server_after_a_kill_and_a_close",
            "tools/mcp/test_server_processes.py::test_a_server_that_is_killed_takes_its_own_along",
            "tools/mcp/test_server_processes.py::test_all_are_ended_at_once_where_nobody_waits",
            "tools/mcp/test_hostile_servers.py::test_one_that_never_answers_is_given_up_with_its_last_words",
            "tools/mcp/test_hostile_servers.py::test_one_that_dies_is_started_again_twice",
            "tools/mcp/test_runs_with_servers.py::test_a_batch_goes_on_where_its_server_dies",
            "config/test_mcp_servers.py::test_a_projects_servers_start_only_where_they_are_trusted",
        ),
    ),
    (
        "The calls of tools in a stream are those that its server meant, wherever it is cut; what was "
        "thought and signed goes back as it came",
        "the pieces in which servers of all kinds send calls (cut at every byte in the table below); "
        "official clients' types; a server that refuses what providers refuse of a conversation",
        (
            "providers/test_tool_calls_openai.py::test_a_stream_gives_the_calls_that_its_server_meant",
            "providers/test_tool_calls_openai.py::test_a_stream_may_be_cut_anywhere",
            "providers/test_tool_calls.py::test_a_stream_gives_the_calls_that_its_server_meant",
            "providers/test_tool_calls.py::test_a_stream_may_be_cut_anywhere",
            "providers/test_tool_calls.py::test_what_came_whole_goes_back_byte_by_byte",
            "providers/test_tool_conversations.py::test_it_is_whatever_the_model_does",
        ),
    ),
    (
        "Runs on one machine that share a rate limit lose no call and make none twice, whichever of them "
        "ends, is killed or stopped: another takes over within two seconds, and none waits for a stranger or "
        "a fault",
        "real processes at a real limit, killed and stopped (more in the table below); sockets of nobody, "
        "locks of somebody stopped, peers that send nonsense, nothing or too much, folders of others; what a "
        "lane has learnt, handed over",
        (
            "sharing/test_processes.py::test_another_run_takes_over_from_one_that_is_killed",
            "sharing/test_processes.py::test_a_folder_that_cannot_be_made_is_a_note_and_no_failure",
            "sharing/test_shares.py::test_an_owner_that_gives_no_sign_of_life_is_replaced_and_notices",
            "sharing/test_shares.py::test_an_owner_that_was_stopped_looks_before_it_starts_a_call",
            "sharing/test_shares.py::test_calls_in_flight_still_count_after_their_owner_is_gone",
            "sharing/test_shares.py::test_a_socket_of_nobody_and_a_lock_of_somebody_stopped_are_replaced",
            "sharing/test_strangers.py::test_what_is_no_guest_does_not_disturb_those_that_are",
            "sharing/test_strangers.py::test_a_folder_of_others_is_refused",
            "sharing/test_handover.py::test_a_lane_goes_on_as_the_one_before_would_have",
        ),
    ),
)


def table() -> str:
    """The promises as markdown."""
    lines = ["| guarantee | how it is tested | tests |", "|---|---|---|"]
    for promise, how, tests in PROMISES:
        names = "<br>".join(f"`{test.replace('::', ' ')}`" for test in tests)
        lines.append(f"| {promise} | {how} | {names} |")
    return "\n".join(lines)


def missing() -> list[str]:
    """Tests that are named and not there."""
    lost = []
    for _, _, tests in PROMISES:
        for test in tests:
            file, _, name = test.partition("::")
            path = TESTS / file
            if not path.exists() or f"def {name}(" not in path.read_text():
                lost.append(test)
    return lost
