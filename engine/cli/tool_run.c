/* `meterloom run`: the gateway, until it is told to end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tool_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <meterloom/engine.h>

#include "cli/cli.h"
#include "cli/script.h"
#include "graph/graph.h"
#include "http/http.h"
#include "run/change.h"

static const char help[] =
	"Usage: meterloom run [OPTIONS] [GRAPH.json]\n"
	"\n"
	"Runs the gateway. With a graph, that one is applied, as a new revision where it is\n"
	"not the one given before; without, the last revision that can be applied. Ends on SIGINT "
	"and\n"
	"SIGTERM.\n"
	"\n"
	"  --data DIR              where everything is kept (default: data)\n"
	"  --listen ADDRESS:PORT   where the page and the API are served (default: "
	"127.0.0.1:8080;\n"
	"                          port 0: any that is free). Loopback addresses only\n"
	"  --script FILE           commands to call first, one a line: NAME [JSON]; lines that "
	"begin\n"
	"                          with # are passed over. One that fails ends the start\n"
	"  --device-key FILE       the key that encrypts secrets; outside DIR, mode 0600, made if\n"
	"                          missing (default: $CREDENTIALS_DIRECTORY/meterloom-device-key "
	"if it\n"
	"                          is there, else for root /var/lib/meterloom.key, for others\n"
	"                          ~/.local/state/meterloom/device.key)\n"
	"  --log LEVEL             the lowest level that is logged: debug, info, warning, error\n"
	"                          (default: info)\n";

struct options {
	const char *graph, *data, *listen, *device_key, *script;
	enum ml_log_level level;
};

struct gateway {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct ml_http *http;
	struct ml_log_terminal terminal;
	uv_signal_t signals[2];
	size_t signal_count;
	int lock; /* file of the data directory; negative: none */
	struct ml_buffer graph;
};

static int wrong_usage(const char *text, const char *what)
{
	(void)fprintf(
		stderr, "meterloom run: %s%s\n`meterloom run --help` tells more.\n", text, what);
	return 2;
}

/* 0; 2: wrong usage; -1: help was given. */
static int read_options(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		if (strcmp(name, "--help") == 0) {
			(void)fputs(help, stdout);
			return -1;
		}
		if (name[0] != '-') {
			if (options->graph)
				return wrong_usage("one graph is enough: ", name);
			options->graph = name;
			continue;
		}
		const char *value = i + 1 < argc ? argv[++i] : NULL;
		if (!value)
			return wrong_usage("a value is missing after ", name);
		if (strcmp(name, "--data") == 0)
			options->data = value;
		else if (strcmp(name, "--listen") == 0)
			options->listen = value;
		else if (strcmp(name, "--script") == 0)
			options->script = value;
		else if (strcmp(name, "--device-key") == 0)
			options->device_key = value;
		else if (strcmp(name, "--log") != 0)
			return wrong_usage("there is no option ", name);
		else if (!ml_log_level_parse(value, &options->level))
			return wrong_usage(
				"expected debug, info, warning or error after --log, not ", value);
	}
	return 0;
}

static int fail(const struct ml_error *err)
{
	(void)fprintf(stderr, "meterloom run: %s\n", err->text);
	return 1;
}

/* ---- Parts ---- */

/* Two gateways on one data directory would take each other's revisions and readings. */
static int lock_data(struct gateway *gateway, const char *data, struct ml_error *err)
{
	char path[4096];
	if (mkdir(data, 0700) < 0 && errno != EEXIST)
		return ml_error_set(err, -errno, "the data directory %s cannot be made: %s", data,
			strerror(errno));
	(void)snprintf(path, sizeof path, "%s/lock", data);
	gateway->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (gateway->lock < 0)
		return ml_error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (flock(gateway->lock, LOCK_EX | LOCK_NB) < 0)
		return ml_error_set(err, -EBUSY,
			"another gateway runs on the data directory %s: end it, or choose another "
			"with "
			"--data",
			data);
	return 0;
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct gateway *gateway = handle->data;
	ml_log(ml_engine_log(gateway->engine), ML_LOG_INFO, "engine", "ends: %s",
		strsignal(number));
	/* Who asks twice does not want to wait. */
	(void)uv_signal_stop(handle);
	ml_engine_quit(gateway->engine);
}

static void catch_signals(struct gateway *gateway)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	uv_loop_t *loop = ml_lane_loop(ml_engine_lane(gateway->engine, "control"));
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 2; i++) {
		uv_signal_t *handle = &gateway->signals[gateway->signal_count];
		if (uv_signal_init(loop, handle) != 0)
			continue;
		handle->data = gateway;
		(void)uv_signal_start(handle, on_signal, numbers[i]);
		gateway->signal_count++;
	}
}

static void release_signals(struct gateway *gateway)
{
	if (gateway->signal_count == 0)
		return;
	for (size_t i = 0; i < gateway->signal_count; i++)
		uv_close((uv_handle_t *)&gateway->signals[i], NULL);
	(void)uv_run(gateway->signals[0].loop, UV_RUN_NOWAIT);
}

static int start(struct gateway *gateway, const struct options *options,
	const struct ml_family *const *families, struct ml_error *err)
{
	int r = 0;
	if (options->graph)
		r = ml_tool_read_file(options->graph, ML_GRAPH_BYTES_MAX, &gateway->graph, err);
	if (r == 0)
		r = lock_data(gateway, options->data, err);
	if (r < 0)
		return r;
	gateway->clock = ml_clock_new_real();
	gateway->log = gateway->clock ? ml_log_new(gateway->clock, 0) : NULL;
	if (!gateway->log)
		return ml_error_set(err, -ENOMEM, "out of memory");
	ml_log_set_minimum(gateway->log, options->level);
	gateway->terminal = (struct ml_log_terminal){
		.fd = STDERR_FILENO, .colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR")};
	(void)ml_log_subscribe(gateway->log, ML_LOG_DEBUG, ml_log_to_terminal, &gateway->terminal);
	const struct ml_engine_options engine = {
		.families = families,
		.clock = gateway->clock,
		.log = gateway->log,
		.data = options->data,
		.device_key = options->device_key,
	};
	r = ml_engine_new(&engine, &gateway->engine, err);
	if (r < 0)
		return r;
	catch_signals(gateway);
	const struct ml_http_options http = {
		.engine = gateway->engine, .listen = options->listen, .assets = ml_web_assets};
	return ml_http_start(&http, &gateway->http, err);
}

static int boot(struct gateway *gateway, const struct options *options, struct ml_errors *errors)
{
	const char *text = gateway->graph.data ? gateway->graph.data : "";
	return ml_engine_boot(gateway->engine, options->graph ? text : NULL, gateway->graph.length,
		options->graph, errors);
}

static void end(struct gateway *gateway)
{
	ml_http_stop(gateway->http);
	release_signals(gateway);
	ml_engine_free(gateway->engine);
	ml_log_free(gateway->log);
	ml_clock_free(gateway->clock);
	if (gateway->lock >= 0)
		(void)close(gateway->lock);
	ml_buffer_free(&gateway->graph);
}

int tool_run(int argc, char **argv, const struct ml_family *const *families)
{
	struct options options = {.data = "data", .listen = "127.0.0.1:8080", .level = ML_LOG_INFO};
	const int usage = read_options(argc, argv, &options);
	if (usage != 0)
		return usage < 0 ? 0 : usage;
	struct gateway gateway = {.lock = -1};
	struct ml_error err = ML_ERROR_NONE;
	struct ml_errors errors = {0};
	int result = 0;
	if (start(&gateway, &options, families, &err) < 0) {
		result = fail(&err);
	} else if (options.script && cli_run_script(gateway.engine, options.script, &err) < 0) {
		result = fail(&err);
	} else if (boot(&gateway, &options, &errors) != 0) {
		ml_tool_print_errors(stderr, options.graph, &errors);
		result = 1;
	} else {
		(void)printf("Meterloom %s runs. The page: %s/\n", METERLOOM_VERSION,
			ml_http_url(gateway.http));
		(void)fflush(stdout);
		ml_engine_run(gateway.engine);
	}
	ml_errors_free(&errors);
	end(&gateway);
	return result;
}
