/* The arguments of `meterloom sim`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/tool_sim_private.h"

const char sim_tool_help[] =
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
	"  --pty               on a pseudo-terminal, whose name is printed\n"
	"  --link PATH         a symbolic link to it, so that its name stays the same\n"
	"  --tcp [ADDRESS:]PORT  behind a TCP port, as behind a converter (address 127.0.0.1)\n"
	"\n"
	"Several buses\n"
	"  --bus OPTIONS       begins one more, such as name=east&meters=100&seed=7. The options\n"
	"                      above and --fault are about this bus then; what stands before the\n"
	"                      first --bus holds for all, with seeds and ports counted up\n"
	"  --buses N           so many, named bus1, bus2 ...\n"
	"\n"
	"Faults\n"
	"  --fault TEXT        what goes wrong, such as 'meter-silent which=3 every=10min "
	"lasts=60s';\n"
	"                      may be given several times. Meters of several buses are counted on\n"
	"  --faults FILE       the same from a JSON file: docs/how-to/simulate.md\n"
	"  --list-faults       all there are\n"
	"  While it runs, lines on the standard input do more: `unplug 3`, `cut`, `help`.\n"
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
	OPT_BUS,
	OPT_BUSES,
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
	{"bus", required_argument, NULL, OPT_BUS},
	{"buses", required_argument, NULL, OPT_BUSES},
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

/* The bus that an option is about: the last one begun. */
static struct sim_tool_bus *last_bus(struct sim_tool *t)
{
	return &t->buses[t->bus_count - 1];
}

/* "--meters 20" is "meters=20" of a simulated bus. */
static int set_number(struct sim_tool *t, const char *name, const char *value)
{
	char text[64];
	struct ml_error err = ML_ERROR_NONE;
	(void)snprintf(text, sizeof text, "%s=%.30s", name, value);
	if (strchr(value, '&') || sim_options_parse(text, &last_bus(t)->options, &err) < 0)
		return sim_complain("--%s %s: expected a number%s", name, value,
			strcmp(name, "meters") == 0 ? " from 1 to 10000"
			: strstr(name, "baud")      ? " from 300 to 115200"
						    : "");
	return 0;
}

/* Those after --bus are of that bus alone. */
static struct sim_faults *faults_of(struct sim_tool *t)
{
	return t->bus_count > 1 ? &last_bus(t)->options.faults : &t->faults;
}

static int add_fault(struct sim_tool *t, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	struct sim_rule rule;
	/* How many there are is known later. */
	if (sim_rule_parse(text, strlen(text), &rule, &err) < 0 ||
		sim_rule_check(&rule, UINT_MAX, UINT_MAX, &err) < 0 ||
		sim_faults_add(faults_of(t), &rule, &err) < 0)
		return sim_complain("--fault '%s': %s", text, err.text);
	return 0;
}

static int read_faults(struct sim_tool *t, const char *path)
{
	struct ml_error err = ML_ERROR_NONE;
	struct ml_errors errors = {0};
	struct ml_buffer text = {0};
	struct sim_faults faults = {0};
	int result = ml_tool_read_file(path, SIM_TOOL_FILE_MAX, &text, &err);
	if (result < 0) {
		result = sim_complain("%s", err.text);
	} else if (sim_faults_parse(text.data, text.length, &faults, &errors) < 0) {
		ml_tool_print_errors(stderr, path, &errors);
		result = SIM_WRONG_USAGE;
	}
	for (size_t i = 0; result == 0 && i < faults.count; i++) {
		if (sim_faults_add(faults_of(t), &faults.rules[i], &err) < 0)
			result = sim_complain("%s: %s", path, err.text);
	}
	ml_errors_free(&errors);
	ml_buffer_free(&text);
	return result;
}

static int set_addressing(struct sim_tool *t, const char *value)
{
	static const char *const names[] = {"mixed", "primary", "secondary"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i]) == 0) {
			t->addressing = (enum sim_addressing)i;
			return 0;
		}
	}
	return sim_complain("--addressing %s: expected mixed, primary or secondary", value);
}

static int set_login(struct sim_tool *t, const char *value)
{
	free(t->login);
	t->login = strdup(value);
	char *colon = t->login ? strchr(t->login, ':') : NULL;
	if (!colon)
		return sim_complain("--head-end-user: expected USER:PASSWORD");
	*colon = '\0';
	t->head_end_options.user = t->login;
	t->head_end_options.password = colon + 1;
	return 0;
}

static int read_script(struct sim_tool *t, const char *path)
{
	struct ml_error err = ML_ERROR_NONE;
	ml_buffer_free(&t->script);
	if (ml_tool_read_file(path, SIM_TOOL_FILE_MAX, &t->script, &err) < 0)
		return sim_complain("%s", err.text);
	t->head_end_options.script = t->script.data;
	return 0;
}

static int set_link(struct sim_tool_bus *bus, const char *value)
{
	if (*value == '\0' || strlen(value) >= sizeof bus->link)
		return sim_complain("--link '%.60s': expected a path of at most %zu bytes", value,
			sizeof bus->link - 1);
	memcpy(bus->link, value, strlen(value) + 1);
	bus->pty = true;
	return 0;
}

static int set_tcp(struct sim_tool_bus *bus, const char *value)
{
	(void)snprintf(bus->host, sizeof bus->host, "127.0.0.1");
	if (sim_port_split(value, bus->host, &bus->number) < 0)
		return sim_complain("--tcp %s: expected [ADDRESS:]PORT", value);
	bus->tcp = true;
	return 0;
}

static int add_bus(struct sim_tool *t, const char *value)
{
	struct ml_error err = ML_ERROR_NONE;
	struct sim_tool_bus *bus = sim_tool_add_bus(t);
	if (!bus)
		return sim_complain("more than %d buses", SIM_TOOL_BUSES_MAX);
	if (sim_options_parse(value, &bus->options, &err) < 0)
		return sim_complain("--bus '%s': %s", value, err.text);
	return 0;
}

static int set_copies(struct sim_tool *t, const char *value)
{
	char *end = NULL;
	const unsigned long number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || number < 1 || number > SIM_TOOL_BUSES_MAX)
		return sim_complain(
			"--buses %s: expected a number from 1 to %d", value, SIM_TOOL_BUSES_MAX);
	t->copies = (unsigned)number;
	return 0;
}

static int set_head_end_option(struct sim_tool *t, int key, const char *value)
{
	switch (key) {
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
		return SIM_WRONG_USAGE;
	}
}

static int set_option(struct sim_tool *t, int key, const char *value)
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
		last_bus(t)->options.autobaud = true;
		return 0;
	case OPT_ECHO:
		last_bus(t)->options.echo = true;
		return 0;
	case OPT_FAST:
		last_bus(t)->options.fast = true;
		return 0;
	case OPT_FAULT:
		return add_fault(t, value);
	case OPT_FAULTS:
		return read_faults(t, value);
	case OPT_LIST_FAULTS:
		t->list_faults = true;
		return 0;
	case OPT_PTY:
		last_bus(t)->pty = true;
		return 0;
	case OPT_LINK:
		return set_link(last_bus(t), value);
	case OPT_TCP:
		return set_tcp(last_bus(t), value);
	case OPT_BUS:
		return add_bus(t, value);
	case OPT_BUSES:
		return set_copies(t, value);
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
	default:
		return set_head_end_option(t, key, value);
	}
}

/* -1: the help was asked for; else an exit code. */
int sim_tool_arguments(struct sim_tool *t, int argc, char **argv)
{
	const char *of_meters = NULL;
	int key = 0;
	int index = 0;
	optind = 1;
	while ((key = getopt_long(argc, argv, "+", options, &index)) != -1) {
		if (key == OPT_HELP)
			return -1;
		if ((key >= OPT_METERS && key <= OPT_FAULTS) || key == OPT_ADDRESSING)
			of_meters = options[index].name;
		const int result = set_option(t, key, optarg);
		if (result != 0)
			return result;
		/* The address of --head-end may be left out. */
		if (key == OPT_HEAD_END && optind < argc && argv[optind][0] != '-' &&
			sim_port_split(argv[optind++], t->head_end_address, &t->head_end_port) < 0)
			return sim_complain(
				"--head-end %s: expected ADDRESS:PORT", argv[optind - 1]);
	}
	if (optind < argc)
		return sim_complain("'%s' is not expected; options begin with --", argv[optind]);
	if (t->replay && of_meters)
		return sim_complain("--%s is about virtual meters, and --replay has none: what "
				    "comes is what was recorded",
			of_meters);
	return sim_tool_settle_buses(t);
}
