/* `meterloom sim`: virtual meters for a gateway to read, and a head-end for its reports.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/tool_sim.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "sim/head_end.h"
#include "sim/list.h"
#include "sim/port.h"
#include "sim/recording_list.h"
#include "sim/replay.h"

enum {
	WRONG_USAGE = 2,
	HEAD_END_PORT = 8081,
	SCRIPT_MAX = 64 * 1024,
};

static const char help[] =
	"Usage: meterloom sim [OPTIONS]\n"
	"\n"
	"Virtual M-Bus meters that answer with telegrams of real ones, on a pseudo-terminal or a\n"
	"TCP port, as slow as the line would be; and a head-end that receives reports. Without\n"
	"--pty, --tcp, --list and --head-end: 20 meters on a pseudo-terminal.\n"
	"\n"
	"Meters\n"
	"  --meters N          how many (20)\n"
	"  --seed N            another number, other meters; the same number, the same meters (1)\n"
	"  --baud N            of the line (2400)\n"
	"  --delay BITS        bit times before each answer; left out: each meter has its own\n"
	"  --gap BITS          bit times of rest after each byte of an answer (0)\n"
	"  --odd-baud N        the rate of every other meter\n"
	"  --autobaud          meters follow the rate of the master\n"
	"  --echo              the master hears what it sends, as behind some converters\n"
	"  --fast              no time passes on the line\n"
	"  --fault TEXT        what goes wrong, such as 'meter-silent which=3 every=10min "
	"lasts=60s';\n"
	"                      may be given several times\n"
	"  --faults FILE       the same from a JSON file: docs/how-to/simulate.md\n"
	"  --list-faults       all there are\n"
	"  --pty               on a pseudo-terminal, whose name is printed\n"
	"  --link PATH         a symbolic link to it, so that its name stays the same\n"
	"  --tcp [ADDRESS:]PORT  behind a TCP port, as behind a converter (address 127.0.0.1)\n"
	"\n"
	"Recording\n"
	"  --replay FILE       answers as the meters in a recording did (see `meterloom record`), "
	"in\n"
	"                      the place of virtual meters; --list lists those that answered in "
	"it\n"
	"\n"
	"Meter list\n"
	"  --list FILE         writes the meter list for a gateway to import, - for the terminal\n"
	"  --json              as JSON instead of CSV\n"
	"  --addressing HOW    mixed (every other meter by its primary address), primary, "
	"secondary\n"
	"\n"
	"Head-end\n"
	"  --head-end [ADDRESS:PORT]    receives reports by HTTP POST (127.0.0.1:8081)\n"
	"  --head-end-directory DIR     where it keeps them (head-end-reports)\n"
	"  --head-end-user USER:PASSWORD  asks for Basic authentication\n"
	"  --head-end-answers TEXT      what it answers, such as \"503 x3, close, delay 2s, 200\"\n"
	"  --head-end-script FILE       the same from a file, one step a line\n"
	"\n"
	"  --help              this text\n";

struct tool {
	struct sim_options options;
	bool pty, list_json, list_faults, head_end;
	const char *link, *tcp, *list, *replay;
	enum sim_addressing addressing;
	char head_end_address[SIM_PORT_ADDRESS_MAX];
	uint16_t head_end_port;
	struct head_end_options head_end_options;
	char *login;  /* owned */
	char *script; /* owned */

	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_log_terminal terminal;
	struct ml_engine *engine;
	struct sim_port *pty_port, *tcp_port;
	struct sim_replay *replays[2]; /* behind them */
	struct head_end *head_end_running;
	uv_signal_t signals[2];
};

static int complain(const char *format, ...) ML_PRINTF(1, 2);

static int complain(const char *format, ...)
{
	va_list args;
	(void)fputs("meterloom sim: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return WRONG_USAGE;
}

/* ---- Arguments ---- */

enum option_key {
	OPT_METERS = 256,
	OPT_SEED,
	OPT_BAUD,
	OPT_DELAY,
	OPT_FAST,
	OPT_GAP,
	OPT_ODD_BAUD,
	OPT_AUTOBAUD,
	OPT_ECHO,
	OPT_FAULT,
	OPT_FAULTS,
	OPT_LIST_FAULTS,
	OPT_PTY,
	OPT_LINK,
	OPT_TCP,
	OPT_REPLAY,
	OPT_LIST,
	OPT_JSON,
	OPT_ADDRESSING,
	OPT_HEAD_END,
	OPT_DIRECTORY,
	OPT_USER,
	OPT_ANSWERS,
	OPT_SCRIPT,
	OPT_HELP,
};

static const struct option options[] = {
	{"meters", required_argument, NULL, OPT_METERS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"baud", required_argument, NULL, OPT_BAUD},
	{"delay", required_argument, NULL, OPT_DELAY},
	{"fast", no_argument, NULL, OPT_FAST},
	{"gap", required_argument, NULL, OPT_GAP},
	{"odd-baud", required_argument, NULL, OPT_ODD_BAUD},
	{"autobaud", no_argument, NULL, OPT_AUTOBAUD},
	{"echo", no_argument, NULL, OPT_ECHO},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"faults", required_argument, NULL, OPT_FAULTS},
	{"list-faults", no_argument, NULL, OPT_LIST_FAULTS},
	{"pty", no_argument, NULL, OPT_PTY},
	{"link", required_argument, NULL, OPT_LINK},
	{"tcp", required_argument, NULL, OPT_TCP},
	{"replay", required_argument, NULL, OPT_REPLAY},
	{"list", required_argument, NULL, OPT_LIST},
	{"json", no_argument, NULL, OPT_JSON},
	{"addressing", required_argument, NULL, OPT_ADDRESSING},
	{"head-end", no_argument, NULL, OPT_HEAD_END},
	{"head-end-directory", required_argument, NULL, OPT_DIRECTORY},
	{"head-end-user", required_argument, NULL, OPT_USER},
	{"head-end-answers", required_argument, NULL, OPT_ANSWERS},
	{"head-end-script", required_argument, NULL, OPT_SCRIPT},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

/* "--meters 20" is "meters=20" of a simulated bus. */
static int set_number(struct tool *t, const char *name, const char *value)
{
	char text[64];
	struct ml_error err = ML_ERROR_NONE;
	(void)snprintf(text, sizeof text, "%s=%.30s", name, value);
	if (strchr(value, '&') || sim_options_parse(text, &t->options, &err) < 0)
		return complain("--%s %s: expected a number%s", name, value,
			strcmp(name, "meters") == 0 ? " from 1 to 10000"
			: strstr(name, "baud")      ? " from 300 to 115200"
						    : "");
	return 0;
}

static int add_fault(struct tool *t, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	struct sim_rule rule;
	if (sim_rule_parse(text, strlen(text), &rule, &err) < 0 ||
		sim_faults_add(&t->options.faults, &rule, &err) < 0)
		return complain("--fault '%s': %s", text, err.text);
	return 0;
}

static int read_faults(struct tool *t, const char *path)
{
	struct ml_error err = ML_ERROR_NONE;
	struct ml_errors errors = {0};
	struct ml_buffer text = {0};
	struct sim_faults faults;
	int result = ml_tool_read_file(path, SCRIPT_MAX, &text, &err);
	if (result < 0) {
		result = complain("%s", err.text);
	} else if (sim_faults_parse(text.data, text.length, &faults, &errors) < 0) {
		ml_tool_print_errors(stderr, path, &errors);
		result = WRONG_USAGE;
	}
	for (size_t i = 0; result == 0 && i < faults.count; i++) {
		if (sim_faults_add(&t->options.faults, &faults.rules[i], &err) < 0)
			result = complain("%s: %s", path, err.text);
	}
	ml_errors_free(&errors);
	ml_buffer_free(&text);
	return result;
}

static int write_faults(void)
{
	for (int i = 0; i < SIM_FAULTS; i++) {
		const struct sim_fault_info *info = sim_fault_info((enum sim_fault)i);
		(void)printf("%-22s  %s\n", info->name, info->help);
	}
	return 0;
}

static int set_addressing(struct tool *t, const char *value)
{
	static const char *const names[] = {"mixed", "primary", "secondary"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i]) == 0) {
			t->addressing = (enum sim_addressing)i;
			return 0;
		}
	}
	return complain("--addressing %s: expected mixed, primary or secondary", value);
}

static int set_login(struct tool *t, const char *value)
{
	free(t->login);
	t->login = strdup(value);
	char *colon = t->login ? strchr(t->login, ':') : NULL;
	if (!colon)
		return complain("--head-end-user: expected USER:PASSWORD");
	*colon = '\0';
	t->head_end_options.user = t->login;
	t->head_end_options.password = colon + 1;
	return 0;
}

static int read_script(struct tool *t, const char *path)
{
	FILE *file = fopen(path, "rb");
	free(t->script);
	t->script = calloc(1, SCRIPT_MAX + 1);
	if (!file || !t->script) {
		const int result = complain("%s: %s", path, strerror(errno));
		if (file)
			(void)fclose(file);
		return result;
	}
	const size_t length = fread(t->script, 1, SCRIPT_MAX, file);
	const bool whole = length < SCRIPT_MAX && !ferror(file);
	(void)fclose(file);
	t->head_end_options.script = t->script;
	return whole ? 0 : complain("%s: it cannot be read, or has more than 64 KiB", path);
}

static int set_option(struct tool *t, int key, const char *value)
{
	switch (key) {
	case OPT_METERS:
		return set_number(t, "meters", value);
	case OPT_SEED:
		return set_number(t, "seed", value);
	case OPT_BAUD:
		return set_number(t, "baud", value);
	case OPT_DELAY:
		return set_number(t, "delay", value);
	case OPT_GAP:
		return set_number(t, "gap", value);
	case OPT_ODD_BAUD:
		return set_number(t, "odd_baud", value);
	case OPT_AUTOBAUD:
		t->options.autobaud = true;
		return 0;
	case OPT_ECHO:
		t->options.echo = true;
		return 0;
	case OPT_FAST:
		t->options.fast = true;
		return 0;
	case OPT_FAULT:
		return add_fault(t, value);
	case OPT_FAULTS:
		return read_faults(t, value);
	case OPT_LIST_FAULTS:
		t->list_faults = true;
		return 0;
	case OPT_PTY:
		t->pty = true;
		return 0;
	case OPT_LINK:
		t->pty = true;
		t->link = value;
		return 0;
	case OPT_TCP:
		t->tcp = value;
		return 0;
	case OPT_REPLAY:
		t->replay = value;
		return 0;
	case OPT_LIST:
		t->list = value;
		return 0;
	case OPT_JSON:
		t->list_json = true;
		return 0;
	case OPT_ADDRESSING:
		return set_addressing(t, value);
	case OPT_HEAD_END:
		t->head_end = true;
		return 0;
	case OPT_DIRECTORY:
		t->head_end_options.directory = value;
		return 0;
	case OPT_USER:
		return set_login(t, value);
	case OPT_ANSWERS:
		t->head_end_options.script = value;
		return 0;
	case OPT_SCRIPT:
		return read_script(t, value);
	default:
		(void)fputs("`meterloom sim --help` explains the options.\n", stderr);
		return WRONG_USAGE;
	}
}

/* -1: the help was asked for; else an exit code. */
static int read_arguments(struct tool *t, int argc, char **argv)
{
	int key = 0;
	optind = 1;
	while ((key = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (key == OPT_HELP)
			return -1;
		const int result = set_option(t, key, optarg);
		if (result != 0)
			return result;
		/* The address of --head-end may be left out. */
		if (key == OPT_HEAD_END && optind < argc && argv[optind][0] != '-' &&
			sim_port_split(argv[optind++], t->head_end_address, &t->head_end_port) < 0)
			return complain("--head-end %s: expected ADDRESS:PORT", argv[optind - 1]);
	}
	if (optind < argc)
		return complain("'%s' is not expected; options begin with --", argv[optind]);
	if (!t->pty && !t->tcp && !t->list && !t->list_faults && !t->head_end)
		t->pty = true;
	return 0;
}

/* ---- Work ---- */

/* How many meters were listed; negative: an error, which was told. */
static int make_list(struct tool *t, struct ml_buffer *out)
{
	struct ml_error err = ML_ERROR_NONE;
	if (t->replay) {
		const int count = sim_recording_list(t->replay, NULL, t->list_json, out, &err);
		if (count < 0)
			(void)complain("%s", err.text);
		return count;
	}
	struct sim_line *line = sim_line_new(&t->options);
	if (!line) {
		(void)complain("out of memory");
		return -ENOMEM;
	}
	if (t->list_json)
		sim_list_json(line, t->options.baud, t->addressing, out);
	else
		sim_list_csv(line, t->options.baud, t->addressing, out);
	sim_line_free(line);
	return (int)t->options.meters;
}

static int write_list(struct tool *t)
{
	struct ml_buffer out = {0};
	const bool terminal = strcmp(t->list, "-") == 0;
	const int count = make_list(t, &out);
	int result = 1;
	if (count < 0)
		goto out;
	FILE *file = terminal ? stdout : fopen(t->list, "wb");
	bool good = file && !out.failed && fwrite(out.data, 1, out.length, file) == out.length;
	if (file && !terminal)
		good = fclose(file) == 0 && good;
	if (good)
		result = 0;
	else
		(void)complain("%s cannot be written: %s", t->list, strerror(errno));
	if (good && !terminal)
		(void)printf("%d meters listed in %s\n", count, t->list);
out:
	ml_buffer_free(&out);
	return result;
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
	const struct tool *t = handle->data;
	(void)number;
	ml_engine_quit(t->engine);
}

static void say_meters(const struct tool *t, const struct sim_port *port)
{
	if (t->replay)
		(void)printf("%s at %s: %zu frames of its master are known\n", t->replay,
			sim_port_address(port),
			sim_replay_questions(t->replays[port == t->tcp_port]));
	else
		(void)printf("%u meters at %s, %u baud%s\n", t->options.meters,
			sim_port_address(port), t->options.baud,
			t->options.fast ? ", without its delays" : "");
}

static int start_pty(struct tool *t, struct ml_lane *lane, struct ml_error *err)
{
	int result = t->replay ? sim_replay_open(t->replay, &t->replays[0], err) : 0;
	if (result == 0)
		result = t->replay ? sim_port_replay_pty(
					     lane, t->replays[0], t->link, &t->pty_port, err)
				   : sim_port_pty(lane, &t->options, t->link, &t->pty_port, err);
	if (result == 0)
		say_meters(t, t->pty_port);
	return result;
}

static int start_tcp(struct tool *t, struct ml_lane *lane, struct ml_error *err)
{
	char address[SIM_PORT_ADDRESS_MAX] = "127.0.0.1";
	uint16_t port = 0;
	if (sim_port_split(t->tcp, address, &port) < 0)
		return ml_error_set(err, -EINVAL, "--tcp %s: expected [ADDRESS:]PORT", t->tcp);
	int result = t->replay ? sim_replay_open(t->replay, &t->replays[1], err) : 0;
	if (result == 0)
		result = t->replay ? sim_port_replay_tcp(
					     lane, t->replays[1], address, port, &t->tcp_port, err)
				   : sim_port_tcp(
					     lane, &t->options, address, port, &t->tcp_port, err);
	if (result == 0)
		say_meters(t, t->tcp_port);
	return result;
}

static int start_ports(struct tool *t, struct ml_error *err)
{
	struct ml_lane *lane = ml_engine_lane(t->engine, "control");
	int result = t->pty ? start_pty(t, lane, err) : 0;
	if (result == 0 && t->tcp)
		result = start_tcp(t, lane, err);
	return result;
}

static int start_head_end(struct tool *t, struct ml_error *err)
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

static void stop(struct tool *t)
{
	head_end_stop(t->head_end_running);
	sim_port_close(t->pty_port);
	sim_port_close(t->tcp_port);
	ml_engine_free(t->engine);
	sim_replay_free(t->replays[0]);
	sim_replay_free(t->replays[1]);
	ml_log_free(t->log);
	ml_clock_free(t->clock);
}

static int work(struct tool *t)
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
		result = start_ports(t, &err);
	if (result == 0)
		result = start_head_end(t, &err);
	if (result == 0) {
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
		(void)complain("%s", err.text);
	return result < 0 ? 1 : 0;
}

int sim_tool_main(int argc, char **argv, const struct ml_family *const *families)
{
	struct tool t = {
		.options = SIM_OPTIONS_NONE,
		.head_end_address = "127.0.0.1",
		.head_end_port = HEAD_END_PORT,
		.head_end_options = {.directory = "head-end-reports"},
	};
	(void)families;
	(void)signal(SIGPIPE, SIG_IGN);
	int result = read_arguments(&t, argc, argv);
	if (result < 0) {
		(void)fputs(help, stdout);
		result = 0;
	} else if (result == 0) {
		if (t.list_faults)
			result = write_faults();
		if (t.list)
			result = write_list(&t);
		if (result == 0 && (t.pty || t.tcp || t.head_end))
			result = work(&t);
	}
	free(t.login);
	free(t.script);
	return result;
}
