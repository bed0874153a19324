/* `meterloom simulate`: a gateway lives through days within seconds, and nothing may be lost.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/tool_simulate.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <meterloom/files.h>

#include "sim/simulation.h"
#include "sim/simulation_text.h"

enum {
	WRONG_USAGE = 2,
	FILE_BYTES_MAX = 16 << 20,
	DAYS_MAX = 3660,
	METERS_MAX = 250,
	PATH_BYTES = 512,
};

static const char help[] =
	"Usage: meterloom simulate [OPTIONS] GRAPH.json\n"
	"\n"
	"Runs a whole gateway on a simulated clock, days within seconds: virtual meters on each "
	"of\n"
	"its buses, a head-end behind each of its URLs, and faults of all of them, at random by "
	"the\n"
	"seed. At the end what the meters gave, what is in the store and what the head-ends got "
	"is\n"
	"compared value by value. The same seed gives the same bytes.\n"
	"Ends with 1 where something was lost.\n"
	"\n"
	"  --days N        how long (30)\n"
	"  --seed N        another number, other meters and other faults (1)\n"
	"  --faults FILE   what goes wrong, and how often: docs/how-to/simulate.md\n"
	"  --fault TEXT    one, such as 'meter-silent which=3 every=2h lasts=10min'; may be given "
	"several\n"
	"                  times, with or without a file; `meterloom sim --list-faults` lists all\n"
	"  --no-faults     nothing does\n"
	"  --meters N      on each bus whose interface does not say (20)\n"
	"  --begin TIME    on the calendar (2026-02-01T00:00:00Z)\n"
	"  --zone NAME     the gateway's time zone, such as Europe/Paris (UTC)\n"
	"  --data DIR      where the gateway keeps its data, and leaves them: must not exist yet\n"
	"  --keep DIR      where the head-ends' reports are kept: must not exist yet\n"
	"  --log           shows the gateway's log\n"
	"  --json          the result as JSON\n"
	"  --help          this text\n";

struct tool {
	struct sim_simulation_options options;
	const char *graph_path, *faults_path, *data, *keep;
	bool log, json, no_faults;
	char folder[PATH_BYTES]; /* temporary; "": none */
	char path[PATH_BYTES + 8];
	struct ml_buffer graph, faults;
	struct sim_faults typed; /* --fault */
	struct ml_log_terminal terminal;
};

#define complain(...) ml_tool_complain("simulate", __VA_ARGS__)

/* ---- Arguments ---- */

enum option_key {
	OPT_DAYS = 256,
	OPT_SEED,
	OPT_FAULTS,
	OPT_FAULT,
	OPT_NO_FAULTS,
	OPT_METERS,
	OPT_BEGIN,
	OPT_ZONE,
	OPT_DATA,
	OPT_KEEP,
	OPT_LOG,
	OPT_JSON,
	OPT_HELP,
};

static const struct option options[] = {
	{"days", required_argument, NULL, OPT_DAYS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"faults", required_argument, NULL, OPT_FAULTS},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"no-faults", no_argument, NULL, OPT_NO_FAULTS},
	{"meters", required_argument, NULL, OPT_METERS},
	{"begin", required_argument, NULL, OPT_BEGIN},
	{"zone", required_argument, NULL, OPT_ZONE},
	{"data", required_argument, NULL, OPT_DATA},
	{"keep", required_argument, NULL, OPT_KEEP},
	{"log", no_argument, NULL, OPT_LOG},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	char *end = NULL;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *value >= least &&
	       *value <= most;
}

static int add_fault(struct tool *t, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	struct sim_rule rule;
	if (sim_rule_parse(text, strlen(text), &rule, &err) < 0 ||
		sim_faults_add(&t->typed, &rule, &err) < 0)
		return complain("--fault '%s': %s", text, err.text);
	return 0;
}

static int set_option(struct tool *t, int key, const char *value)
{
	uint64_t number = 0;
	switch (key) {
	case OPT_DAYS:
		if (!read_number(value, 1, DAYS_MAX, &number))
			return complain(
				"--days %s: expected a number from 1 to %d", value, DAYS_MAX);
		t->options.length = (ml_time)number * ML_DAY;
		return 0;
	case OPT_SEED:
		return read_number(value, 0, UINT64_MAX, &t->options.seed)
			       ? 0
			       : complain("--seed %s: expected a number", value);
	case OPT_METERS:
		if (!read_number(value, 1, METERS_MAX, &number))
			return complain(
				"--meters %s: expected a number from 1 to %d", value, METERS_MAX);
		t->options.meters = (unsigned)number;
		return 0;
	case OPT_BEGIN:
		return ml_time_parse(value, strlen(value), &t->options.begin)
			       ? 0
			       : complain("--begin %s: expected a time such as "
					  "2026-03-01T00:00:00Z",
					 value);
	case OPT_FAULTS:
		t->faults_path = value;
		return 0;
	case OPT_ZONE:
		t->options.zone = value;
		return 0;
	case OPT_DATA:
		t->data = value;
		return 0;
	case OPT_KEEP:
		t->keep = value;
		return 0;
	case OPT_FAULT:
		return add_fault(t, value);
	case OPT_NO_FAULTS:
		t->no_faults = true;
		return 0;
	case OPT_LOG:
		t->log = true;
		return 0;
	case OPT_JSON:
		t->json = true;
		return 0;
	case OPT_HELP:
		(void)fputs(help, stdout);
		return -1;
	default:
		return complain("`meterloom simulate --help` tells the options");
	}
}

/* 0; 2: wrong usage; -1: help was given. */
static int read_arguments(struct tool *t, int argc, char **argv)
{
	int key, result = 0;
	optind = 1;
	while (result == 0 && (key = getopt_long(argc, argv, "", options, NULL)) != -1)
		result = set_option(t, key, optarg);
	if (result != 0)
		return result;
	if (optind + 1 != argc)
		return complain("expected one graph, such as graphs/demo.json");
	if (t->no_faults && (t->faults_path || t->typed.count > 0))
		return complain("--fault, --faults and --no-faults exclude each other");
	t->graph_path = argv[optind];
	return 0;
}

/* ---- Files ---- */

static int read_file(const char *path, struct ml_buffer *text)
{
	struct ml_error err = ML_ERROR_NONE;
	if (ml_tool_read_file(path, FILE_BYTES_MAX, text, &err) < 0)
		return complain("%s", err.text), 1;
	return 0;
}

static int print_errors(const char *file, struct ml_errors *errors)
{
	ml_tool_print_errors(stderr, file, errors);
	ml_errors_free(errors);
	return 1;
}

static int read_faults(struct tool *t)
{
	struct ml_errors errors = {0};
	struct ml_error err = ML_ERROR_NONE;
	if (!t->faults_path && !t->no_faults && t->typed.count == 0)
		sim_faults_default(&t->options.faults);
	if (t->faults_path && read_file(t->faults_path, &t->faults) != 0)
		return 1;
	if (t->faults_path &&
		sim_faults_parse(t->faults.data, t->faults.length, &t->options.faults, &errors) < 0)
		return print_errors(t->faults_path, &errors);
	for (size_t i = 0; i < t->typed.count; i++) {
		if (sim_faults_add(&t->options.faults, &t->typed.rules[i], &err) < 0)
			return complain("%s", err.text);
	}
	return 0;
}

static int read_files(struct tool *t)
{
	if (read_file(t->graph_path, &t->graph) != 0)
		return 1;
	t->options.graph = t->graph.data;
	t->options.graph_length = t->graph.length;
	return read_faults(t);
}

static int make_folders(struct tool *t)
{
	const char *temporary = getenv("TMPDIR");
	if (t->keep && mkdir(t->keep, 0777) < 0)
		return complain("%s cannot be made: %s", t->keep, strerror(errno)), 1;
	t->options.keep = t->keep;
	if (t->data) {
		if (mkdir(t->data, 0700) < 0)
			return complain("%s cannot be made: %s", t->data, strerror(errno)), 1;
		t->options.data = t->data;
		return 0;
	}
	(void)snprintf(t->folder, sizeof t->folder, "%.480s/meterloom-XXXXXX",
		temporary && temporary[0] ? temporary : "/tmp");
	if (!mkdtemp(t->folder)) {
		(void)complain("%s: %s", t->folder, strerror(errno));
		t->folder[0] = '\0';
		return 1;
	}
	(void)snprintf(t->path, sizeof t->path, "%s/data", t->folder);
	t->options.data = t->path;
	return 0;
}

/* ---- Running ---- */

static void show_progress(const struct tool *t, ml_time now, ml_time took)
{
	(void)fprintf(stderr, "\rday %lld of %lld, %lld s ", (long long)(now / ML_DAY),
		(long long)(t->options.length / ML_DAY), (long long)(took / ML_SEC));
}

static int live(struct tool *t, struct sim_simulation *s, const struct ml_clock *real,
	struct sim_result *result)
{
	struct ml_error err = ML_ERROR_NONE;
	const bool shows = isatty(STDERR_FILENO) && !t->log;
	int code = 0;
	for (ml_time at = 0; code == 0 && at < t->options.length; at += ML_DAY) {
		if (shows)
			show_progress(t, at, ml_clock_monotonic(real));
		code = sim_simulation_run(s, at + ML_DAY, &err);
	}
	if (code == 0)
		code = sim_simulation_finish(s, result, &err);
	if (shows)
		(void)fputs("\r\033[K", stderr);
	if (code < 0)
		return complain("%s", err.text), 1;
	return 0;
}

static int simulate(struct tool *t)
{
	struct ml_errors errors = {0};
	struct sim_simulation *s = NULL;
	struct ml_clock *real = ml_clock_new_real();
	struct sim_result *result = calloc(1, sizeof *result);
	int code = 1;
	if (!real || !result) {
		(void)complain("out of memory");
		goto out;
	}
	if (sim_simulation_new(&t->options, &s, &errors) < 0) {
		code = print_errors(t->graph_path, &errors);
		goto out;
	}
	code = live(t, s, real, result);
	if (code == 0) {
		const ml_time took = ml_clock_monotonic(real);
		struct ml_buffer text = {0};
		if (t->json)
			sim_result_json(&t->options, result, took, &text);
		else
			sim_result_text(&t->options, result, took, t->graph_path, &text);
		(void)fwrite(text.data, 1, text.length, stdout);
		ml_buffer_free(&text);
		code = result->lost;
	}
out:
	sim_simulation_free(s);
	ml_clock_free(real);
	free(result);
	return code;
}

int sim_tool_simulate(int argc, char **argv, const struct ml_family *const *families)
{
	struct tool t = {
		.options =
			{
				.families = families,
				.begin = INT64_C(1769904000) * ML_SEC,
				.length = 30 * ML_DAY,
				.seed = 1,
				.meters = 20,
			},
		.terminal = {.fd = STDERR_FILENO},
	};
	int code = read_arguments(&t, argc, argv);
	if (code != 0)
		return code < 0 ? 0 : code;
	if (t.log) {
		t.options.log = ml_log_to_terminal;
		t.options.log_user = &t.terminal;
	}
	code = read_files(&t);
	if (code == 0)
		code = make_folders(&t);
	if (code == 0)
		code = simulate(&t);
	if (t.folder[0])
		(void)ml_files_remove_tree(&ml_files_system, t.folder);
	ml_buffer_free(&t.graph);
	ml_buffer_free(&t.faults);
	return code;
}
