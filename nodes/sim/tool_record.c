/* `meterloom record`: keeps what goes over an interface, and shows what was kept.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/tool_record.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/family.h>

#include "sim/record_session.h"
#include "sim/recording_print.h"

enum { WRONG_USAGE = 2, SECONDS_MAX = 366 * 86400, SIZE_MAX_MB = 1000000 };

static const char help[] =
	"Usage: meterloom record INTERFACE --out FILE [OPTIONS]\n"
	"       meterloom record --show FILE [--json]\n"
	"\n"
	"Records what goes over the interface of a bus, with its times: it stands between a "
	"master\n"
	"and its adapter and hands all through, or listens. INTERFACE is serial:/dev/ttyUSB0,\n"
	"tcp:HOST:PORT or, to try it, sim:3. Ctrl-C ends it.\n"
	"\n"
	"  --out FILE          a new file for the recording, - for the terminal\n"
	"  --explain           prints what goes over the bus frame by frame; then --out may be\n"
	"                      left out\n"
	"  --json              as JSON, an object a line\n"
	"  --pty               the master is to open a pseudo-terminal, whose name is printed;\n"
	"                      the adapter takes over the rate that the master sets there\n"
	"  --link PATH         a symbolic link to it, so that its name stays the same\n"
	"  --tcp [ADDRESS:]PORT  the master is to connect here (address 127.0.0.1)\n"
	"  --listen            there is no master to be handed through: the adapter is a tap on\n"
	"                      one side or both, which are told apart by their frames\n"
	"  --baud N            of the interface (2400)\n"
	"  --seconds N         ends by itself\n"
	"  --max-size MB       ends before the file is larger\n"
	"\n"
	"  --show FILE         explains a recording frame by frame, - for standard input\n"
	"\n"
	"  --help              this text\n"
	"\n"
	"`meterloom sim --replay FILE` plays a recording back. Exit code: 0 done, 1 failed (what "
	"was\n"
	"recorded is kept), 2 wrong usage.\n";

#define complain(...) ml_tool_complain("record", __VA_ARGS__)

enum option_key {
	OPT_OUT = 256,
	OPT_EXPLAIN,
	OPT_JSON,
	OPT_PTY,
	OPT_LINK,
	OPT_TCP,
	OPT_LISTEN,
	OPT_BAUD,
	OPT_SECONDS,
	OPT_MAX_SIZE,
	OPT_SHOW,
	OPT_HELP,
};

static const struct option options[] = {
	{"out", required_argument, NULL, OPT_OUT},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"json", no_argument, NULL, OPT_JSON},
	{"pty", no_argument, NULL, OPT_PTY},
	{"link", required_argument, NULL, OPT_LINK},
	{"tcp", required_argument, NULL, OPT_TCP},
	{"listen", no_argument, NULL, OPT_LISTEN},
	{"baud", required_argument, NULL, OPT_BAUD},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"max-size", required_argument, NULL, OPT_MAX_SIZE},
	{"show", required_argument, NULL, OPT_SHOW},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static int read_number(
	const char *name, const char *text, long min, long max, const char *what, long *value)
{
	char *rest = NULL;
	errno = 0;
	*value = strtol(text, &rest, 10);
	if (*text < '0' || *text > '9' || *rest != '\0' || errno != 0 || *value < min ||
		*value > max)
		return complain("--%s %s: expected %s from %ld to %ld", name, text, what, min, max);
	return 0;
}

struct wanted {
	struct sim_record_options options;
	const char *show;
	bool help;
};

static int set_option(struct wanted *w, int key, const char *value)
{
	struct sim_record_options *o = &w->options;
	long number = 0;
	int result = 0;
	switch (key) {
	case OPT_OUT:
		o->out = value;
		break;
	case OPT_EXPLAIN:
		o->explain = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_LINK:
		o->link = value;
		o->pty = true;
		break;
	case OPT_PTY:
		o->pty = true;
		break;
	case OPT_TCP:
		o->tcp = value;
		break;
	case OPT_LISTEN:
		o->listen = true;
		break;
	case OPT_BAUD:
		result = read_number("baud", value, 300, 115200, "a rate", &number);
		o->baud = (unsigned)number;
		break;
	case OPT_SECONDS:
		result = read_number("seconds", value, 1, SECONDS_MAX, "seconds", &number);
		o->length = number * ML_SEC;
		break;
	case OPT_MAX_SIZE:
		result = read_number("max-size", value, 1, SIZE_MAX_MB, "megabytes", &number);
		o->size = (uint64_t)number * 1000000;
		break;
	case OPT_SHOW:
		w->show = value;
		break;
	case OPT_HELP:
		w->help = true;
		break;
	default:
		(void)fputs("`meterloom record --help` explains the options.\n", stderr);
		result = WRONG_USAGE;
	}
	return result;
}

/* What does not go together, or is missing. */
static int check(const struct wanted *w, const struct ml_family *const *families)
{
	const struct sim_record_options *o = &w->options;
	struct ml_error err = ML_ERROR_NONE;
	if (w->show)
		return o->interface || o->out || o->explain || o->pty || o->tcp || o->listen
			       ? complain("--show goes with nothing but --json")
			       : 0;
	if (!o->interface)
		return complain("expected an INTERFACE, such as serial:/dev/ttyUSB0, or --show "
				"FILE; `meterloom record --help` tells more");
	if (ml_stream_check(families, o->interface, &err) < 0)
		return complain("%s", err.text);
	if ((o->listen && (o->pty || o->tcp)) || (o->pty && o->tcp))
		return complain("expected one of --pty, --tcp and --listen");
	if (!o->listen && !o->pty && !o->tcp)
		return complain("expected where the master is: --pty or --tcp PORT, or --listen "
				"where there is none to be handed through");
	if (!o->out && !o->explain)
		return complain("expected --out FILE, or --explain, or both");
	if (o->json && !o->explain)
		return complain("--json goes with --explain or --show");
	if (o->explain && o->out && strcmp(o->out, "-") == 0)
		return complain("--out - and --explain would both print: expected a file");
	return 0;
}

int sim_tool_record(int argc, char **argv, const struct ml_family *const *families)
{
	struct wanted w = {.options = {.baud = 2400}};
	struct ml_error err = ML_ERROR_NONE;
	int key = 0;
	int result = 0;
	(void)signal(SIGPIPE, SIG_IGN);
	optind = 1;
	while (result == 0 && (key = getopt_long(argc, argv, "", options, NULL)) != -1)
		result = set_option(&w, key, optarg);
	if (result != 0)
		return result;
	if (w.help) {
		(void)fputs(help, stdout);
		return 0;
	}
	if (optind < argc)
		w.options.interface = argv[optind++];
	if (optind < argc)
		return complain("'%s' is not expected behind the interface", argv[optind]);
	result = check(&w, families);
	if (result != 0)
		return result;
	if (w.show)
		return sim_print_file("meterloom record", w.show, w.options.json);
	if (sim_record_run(&w.options, &err) < 0) {
		(void)complain("%s", err.text);
		return 1;
	}
	return 0;
}
