/* `meterloom sim`: virtual meters for a gateway to read, and a head-end for its reports.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/tool_sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/tool_sim_private.h"

enum { HEAD_END_PORT = 8081 };

static int write_faults(void)
{
	for (int i = 0; i < SIM_FAULTS; i++) {
		const struct sim_fault_info *info = sim_fault_info((enum sim_fault)i);
		(void)printf("%-22s  %s\n", info->name, info->help);
	}
	return 0;
}

static void on_report(void *user, const struct head_end_report *report)
{
	char time[ML_TIME_TEXT_MAX];
	(void)user;
	ml_time_format(report->time, time);
	(void)printf("%.8s report %llu: %s, %zu bytes, ", time + 11,
		(unsigned long long)report->number,
		report->filename[0] ? report->filename : "without a name", report->length);
	if (report->status == HEAD_END_CLOSED)
		(void)printf("connection closed\n");
	else
		(void)printf("answered %u%s\n", report->status,
			report->repeated ? ", had it already" : "");
	(void)fflush(stdout);
}

static void on_signal(uv_signal_t *handle, int number)
{
	const struct sim_tool *t = handle->data;
	(void)number;
	ml_engine_quit(t->engine);
}

static int start_head_end(struct sim_tool *t, struct ml_error *err)
{
	if (!t->head_end)
		return 0;
	struct head_end_options *o = &t->head_end_options;
	o->address = t->head_end_address;
	o->port = t->head_end_port;
	o->received = on_report;
	if (head_end_start(t->engine, o, &t->head_end_running, err) < 0)
		return err->code;
	(void)printf("head-end at http://%s:%u/, reports are kept in %s\n", o->address,
		head_end_port(t->head_end_running), o->directory);
	return 0;
}

static void stop(struct sim_tool *t)
{
	head_end_stop(t->head_end_running);
	sim_console_stop(&t->console);
	sim_tool_close_buses(t);
	ml_engine_free(t->engine);
	ml_log_free(t->log);
	ml_clock_free(t->clock);
}

static int work(struct sim_tool *t)
{
	static const struct ml_family *const none[] = {NULL};
	static const int numbers[] = {SIGINT, SIGTERM};
	struct ml_error err = ML_ERROR_NONE;
	t->clock = ml_clock_new_real();
	t->log = t->clock ? ml_log_new(t->clock, 0) : NULL;
	t->terminal.fd = STDERR_FILENO;
	if (t->log)
		(void)ml_log_subscribe(t->log, ML_LOG_WARNING, ml_log_to_terminal, &t->terminal);
	const struct ml_engine_options engine = {
		.families = none, .clock = t->clock, .log = t->log};
	int result = t->log ? ml_engine_new(&engine, &t->engine, &err)
			    : ml_error_set(&err, -ENOMEM, "out of memory");
	if (result == 0)
		result = sim_tool_start_buses(t, &err);
	if (result == 0)
		result = start_head_end(t, &err);
	if (result == 0) {
		size_t count = 0;
		struct sim_tool_bus *buses = sim_tool_buses(t, &count);
		sim_console_start(&t->console, t->engine, buses, count);
		(void)fflush(stdout);
		struct uv_loop_s *loop = ml_lane_loop(ml_engine_lane(t->engine, "control"));
		for (size_t i = 0; i < 2; i++) {
			(void)uv_signal_init(loop, &t->signals[i]);
			t->signals[i].data = t;
			(void)uv_signal_start(&t->signals[i], on_signal, numbers[i]);
		}
		ml_engine_run(t->engine);
	}
	stop(t);
	if (result < 0)
		(void)sim_complain("%s", err.text);
	return result < 0 || (t->console.wrong && !t->console.terminal) ? 1 : 0;
}

static bool runs(struct sim_tool *t)
{
	size_t count = 0;
	const struct sim_tool_bus *buses = sim_tool_buses(t, &count);
	bool any = t->head_end;
	for (size_t i = 0; i < count; i++)
		any = any || buses[i].pty || buses[i].tcp;
	return any;
}

int sim_tool_main(int argc, char **argv, const struct ml_family *const *families)
{
	struct sim_tool t = {
		.head_end_address = "127.0.0.1",
		.head_end_port = HEAD_END_PORT,
		.head_end_options = {.directory = "head-end-reports"},
	};
	(void)families;
	(void)signal(SIGPIPE, SIG_IGN);
	/* In the background of a shell it goes on, and reads nothing. */
	(void)signal(SIGTTIN, SIG_IGN);
	t.buses = calloc(1 + SIM_TOOL_BUSES_MAX, sizeof *t.buses);
	if (!t.buses)
		return sim_complain("out of memory"), 1;
	t.buses[0].options = SIM_OPTIONS_NONE;
	t.bus_count = 1;
	int result = sim_tool_arguments(&t, argc, argv);
	if (result < 0) {
		(void)fputs(sim_tool_help, stdout);
		result = 0;
	} else if (result == 0) {
		if (t.list_faults)
			result = write_faults();
		if (t.list)
			result = sim_tool_write_list(&t);
		if (result == 0 && runs(&t))
			result = work(&t);
	}
	sim_tool_free_buses(&t);
	free(t.login);
	ml_buffer_free(&t.script);
	return result;
}
