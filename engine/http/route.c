/* Routes: from a request to a command, and from its outcome to an answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/route.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/registry.h"
#include "http/guard.h"

static void handle_command(struct http_request *request);

const struct http_route http_routes[] = {
	{"GET", "/api/v1/commands", .command = "command.list"},
	{"POST", "/api/v1/commands/{command}", .handle = handle_command, .body = HTTP_BODY_PARAMS,
		.title = "Call a command; with `Prefer: respond-async` only start it as a job"},
	{"GET", "/api/v1/current", .command = "meter.current"},
	{"GET", "/api/v1/documents/{document}", .command = "report.document",
		.shape = HTTP_SHAPE_FILE},
	{"GET", "/api/v1/events", .handle = http_stream_begin,
		.title = "Watch topics as server-sent events: "
			 "?topics=metrics,log,graph,job,event,tap:NODE.PORT>NODE.PORT"},
	{"GET", "/api/v1/graph", .command = "graph.get", .shape = HTTP_SHAPE_GRAPH},
	{"PUT", "/api/v1/graph", .command = "graph.apply", .body = HTTP_BODY_GRAPH,
		.shape = HTTP_SHAPE_REVISION},
	{"POST", "/api/v1/graph/check", .command = "graph.check", .body = HTTP_BODY_GRAPH},
	{"GET", "/api/v1/jobs", .command = "job.list"},
	{"GET", "/api/v1/jobs/{job}", .command = "job.show"},
	{"DELETE", "/api/v1/jobs/{job}", .command = "job.cancel"},
	{"GET", "/api/v1/log", .command = "log.list"},
	{"GET", "/api/v1/log.csv", .command = "log.export", .shape = HTTP_SHAPE_PAGES},
	{"GET", "/api/v1/meters", .command = "meter.list"},
	{"GET", "/api/v1/meters/{meter}/current", .command = "meter.current"},
	{"GET", "/api/v1/meters/{meter}/readings", .command = "meter.readings"},
	{"GET", "/api/v1/meters/{meter}/readout", .command = "meter.readout"},
	{"GET", "/api/v1/meters/{meter}/series", .command = "meter.series"},
	{"GET", "/api/v1/metrics", .command = "metrics.get"},
	{"GET", "/api/v1/node-types", .command = "node.types"},
	{"GET", "/api/v1/nodes", .command = "node.list"},
	{"GET", "/api/v1/openapi.json", .handle = http_openapi, .title = "This description"},
	{"GET", "/api/v1/reports", .command = "report.list"},
	{"GET", "/api/v1/reports/{destination}/deliveries", .command = "report.history"},
	{"POST", "/api/v1/reports/{destination}/discard", .command = "report.discard",
		.body = HTTP_BODY_PARAMS},
	{"POST", "/api/v1/reports/{destination}/download", .command = "report.download",
		.body = HTTP_BODY_PARAMS},
	{"POST", "/api/v1/reports/{destination}/rebuild", .command = "report.rebuild",
		.body = HTTP_BODY_PARAMS},
	{"POST", "/api/v1/reports/{destination}/resend", .command = "report.resend",
		.body = HTTP_BODY_PARAMS},
	{"POST", "/api/v1/reports/{destination}/test", .command = "report.test",
		.body = HTTP_BODY_PARAMS},
	{"GET", "/api/v1/revisions", .command = "revision.list"},
	{"GET", "/api/v1/revisions/{revision}", .command = "revision.show"},
	{"POST", "/api/v1/revisions/{revision}/apply", .command = "revision.apply",
		.shape = HTTP_SHAPE_REVISION},
	{"GET", "/api/v1/series/{series}/values", .command = "series.values"},
	{"GET", "/api/v1/settings", .command = "setting.list"},
	{"GET", "/api/v1/status", .command = "engine.status"},
	{"GET", "/api/v1/trace/{trace}", .command = "trace.show"},
	{"GET", "/metrics", .command = "metrics.get", .shape = HTTP_SHAPE_METRICS},
	{"POST", "/rpc", .handle = http_rpc_begin, .body = HTTP_BODY_RPC,
		.title = "JSON-RPC 2.0: the methods are the commands, parameters by name"},
	{0},
};

/* ---- Matching ---- */

const char *http_route_argument(const char *pattern, size_t *length)
{
	const char *open = strchr(pattern, '{');
	if (!open)
		return NULL;
	*length = strcspn(open + 1, "}");
	return open + 1;
}

bool http_route_fits(const char *pattern, const char *path, const char **argument, size_t *length)
{
	*argument = NULL;
	*length = 0;
	const size_t same = strcspn(pattern, "{");
	if (strncmp(pattern, path, same) != 0)
		return false;
	if (pattern[same] == '\0')
		return path[same] == '\0';
	*argument = path + same;
	*length = strcspn(path + same, "/");
	const char *rest = strchr(pattern + same, '}') + 1;
	return *length > 0 && strcmp(rest, *argument + *length) == 0;
}

bool http_route_takes_body(const struct http_route *route)
{
	return route && route->body != HTTP_BODY_NONE;
}

static bool method_fits(const char *allowed, const char *method)
{
	return strcmp(allowed, method) == 0 ||
	       (strcmp(allowed, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

char *http_unescaped(const char *text)
{
	const size_t length = strlen(text);
	char *out = malloc(length + 1);
	if (!out || http_unescape(text, length, out))
		return out;
	free(out);
	return NULL;
}

static enum MHD_Result check_part(
	void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	bool *good = cls;
	(void)kind;
	*good = *good && http_unescape(key, strlen(key), NULL) &&
		(!value || http_unescape(value, strlen(value), NULL));
	return MHD_YES;
}

/* All of them: what is taken out later has good ones. */
static bool check_escapes(struct http_request *request)
{
	bool good = true;
	(void)check_part(&good, MHD_GET_ARGUMENT_KIND, request->path, NULL);
	(void)MHD_get_connection_values(
		request->connection, MHD_GET_ARGUMENT_KIND, check_part, &good);
	if (!good)
		http_reply_problem(request, 400,
			"the address has a bad escape: expected %%25 for a percent sign, and no "
			"%%00");
	return good;
}

static void take_route(struct http_request *request, const struct http_route *route,
	const char *argument, size_t length)
{
	request->route = route;
	if (!argument)
		return;
	request->argument = malloc(length + 1);
	if (request->argument)
		(void)http_unescape(argument, length, request->argument);
	else
		http_reply_problem(request, 503, "out of memory");
}

void http_route_find(struct http_request *request)
{
	char allow[64] = "";
	const char *argument = NULL;
	size_t length = 0;
	if (!check_escapes(request))
		return;
	for (const struct http_route *route = http_routes; route->method; route++) {
		if (!http_route_fits(route->path, request->path, &argument, &length))
			continue;
		if (method_fits(route->method, request->method)) {
			take_route(request, route, argument, length);
			return;
		}
		(void)snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s",
			*allow ? ", " : "", route->method);
	}
	if (!*allow && method_fits("GET", request->method))
		return; /* a file of the page, perhaps */
	http_reply_header(request, "Allow", "%s", *allow ? allow : "GET, HEAD");
	http_reply_problem(request, 405, "%s does not know %s: expected %s", request->path,
		request->method, *allow ? allow : "GET");
}

/* ---- Parameters ---- */

json_t *http_route_value(const struct ml_param *params, const char *name, const char *text)
{
	const struct ml_param *param = params;
	while (param && param->name && strcmp(param->name, name) != 0)
		param++;
	if (param && param->name) {
		switch (param->kind) {
		case ML_PARAM_BOOL:
		case ML_PARAM_INTEGER:
		case ML_PARAM_DECIMAL:
		case ML_PARAM_DURATION:
		case ML_PARAM_JSON: {
			json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
			return value ? value : json_string(text);
		}
		default:
			break;
		}
	}
	return json_string(text);
}

struct query {
	json_t *object;
	const struct ml_param *params;
	bool failed, doubled;
};

static void take_value(struct query *query, const char *key, const char *value)
{
	query->doubled |= json_object_get(query->object, key) != NULL;
	if (json_object_set_new(query->object, key, http_route_value(query->params, key, value)) <
		0)
		query->failed = true;
}

static enum MHD_Result take_argument(
	void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct query *query = cls;
	char *name = http_unescaped(key), *content = http_unescaped(value ? value : "");
	(void)kind;
	if (name && content)
		take_value(query, name, content);
	else
		query->failed = true;
	free(name);
	free(content);
	return MHD_YES;
}

/* Puts path and query into the object. */
static bool take_address(struct http_request *request, json_t *object, const char *command_name)
{
	const struct ml_command *command = ml_command_find(request->http->engine, command_name);
	struct query query = {.object = object, .params = command ? command->params : NULL};
	size_t length = 0;
	const char *argument = http_route_argument(request->route->path, &length);
	char name[64];
	if (argument && request->route->command) {
		(void)snprintf(name, sizeof name, "%.*s", (int)length, argument);
		take_value(&query, name, request->argument);
	}
	(void)MHD_get_connection_values(
		request->connection, MHD_GET_ARGUMENT_KIND, take_argument, &query);
	if (query.failed || query.doubled) {
		http_reply_problem(request, 400, "%s",
			query.doubled ? "a parameter is given twice"
				      : "the address is not UTF-8, or memory is out");
		return false;
	}
	return true;
}

/* If-Match: "7", or * for whatever there is. */
static bool take_base(struct http_request *request, json_t *object)
{
	const char *match = http_header(request, "If-Match");
	if (!match) {
		if (request->route->body != HTTP_BODY_GRAPH)
			return true;
		http_reply_problem(request, 428,
			"If-Match is missing: send the ETag of the graph that you changed, so that "
			"nobody "
			"else's change is lost (or * to take its place whatever it is)");
		return false;
	}
	if (strcmp(match, "*") == 0)
		return true;
	char *end = NULL;
	const long long base = *match == '"' ? strtoll(match + 1, &end, 10) : -1;
	if (base < 0 || !end || end == match + 1 || strcmp(end, "\"") != 0) {
		http_reply_problem(request, 400,
			"If-Match: expected the ETag of the graph, such as \"7\" with its quotes, "
			"or *");
		return false;
	}
	return json_object_set_new(object, "base", json_integer(base)) == 0;
}

static json_t *parse_object(struct http_request *request)
{
	json_error_t where;
	json_t *object = json_loadb(
		request->body.data, request->body.length, JSON_REJECT_DUPLICATES, &where);
	if (!object)
		http_reply_problem(request, 400, "the body is not JSON: line %d, column %d: %s",
			where.line, where.column, where.text);
	else if (!json_is_object(object))
		http_reply_problem(request, 422,
			"the body: expected an object of parameters, {\"name\": value, ...}");
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* The parameters of a request; NULL: an answer is filled in. */
static json_t *gather(struct http_request *request, const char *command)
{
	json_t *object = NULL;
	if (request->route->body == HTTP_BODY_PARAMS && request->body.length > 0)
		object = parse_object(request);
	else
		object = json_object();
	if (!object) {
		http_reply_problem(request, 503, "out of memory");
		return NULL;
	}
	bool good = take_address(request, object, command);
	const bool graph = request->route->body == HTTP_BODY_GRAPH;
	if (good && strcmp(command, "graph.check") != 0 &&
		(graph || request->route->shape == HTTP_SHAPE_REVISION))
		good = take_base(request, object);
	if (good && graph &&
		json_object_set_new(object, "text",
			json_stringn(request->body.data ? request->body.data : "",
				request->body.length)) < 0) {
		http_reply_problem(request, 422, "the body is not UTF-8");
		good = false;
	}
	if (good)
		return object;
	json_decref(object);
	return NULL;
}

/* ---- Outcomes ---- */

static void tag_revision(struct http_request *request, const struct ml_outcome *outcome)
{
	struct ml_json_place place;
	if (ml_json_locate(outcome->result, outcome->result_length, "/revision", &place) == 0)
		http_reply_header(request, "ETag", "\"%.*s\"", (int)(place.end - place.begin),
			outcome->result + place.begin);
}

static void reply_graph(struct http_request *request, const struct ml_outcome *outcome)
{
	struct ml_json_place place;
	struct ml_buffer buffer = {0};
	if (ml_json_locate(outcome->result, outcome->result_length, "/graph", &place) == 0)
		ml_buffer_append(&buffer, outcome->result + place.begin, place.end - place.begin);
	ml_buffer_append(&buffer, "\n", 1);
	tag_revision(request, outcome);
	http_reply_buffer(request, 200, "application/json", &buffer);
}

static void reply_metrics(struct http_request *request, const struct ml_outcome *outcome)
{
	struct ml_buffer buffer = {0};
	json_t *metrics = json_loadb(outcome->result, outcome->result_length, 0, NULL);
	http_prometheus(metrics, &buffer);
	json_decref(metrics);
	http_reply_buffer(request, 200, "text/plain; version=0.0.4; charset=utf-8", &buffer);
}

/* The file may be gone by now: what is delivered is not kept. */
static void reply_file(struct http_request *request, const struct ml_outcome *outcome)
{
	json_t *result = json_loadb(outcome->result, outcome->result_length, 0, NULL);
	const char *path = NULL, *name = NULL, *type = NULL;
	json_int_t size = 0;
	struct stat info;
	int file = -1;
	if (json_unpack(result, "{s:s, s:s, s:s, s:I}", "path", &path, "name", &name, "type", &type,
		    "size", &size) == 0)
		file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (file >= 0 &&
		(fstat(file, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size != size)) {
		(void)close(file);
		file = -1;
	}
	if (file < 0) {
		http_reply_problem(request, 404, "the file %s is gone", name ? name : "");
	} else {
		http_reply_header(request, "Content-Type", "%s", type);
		http_reply_header(
			request, "Content-Disposition", "attachment; filename=\"%s\"", name);
		http_reply_empty(request, 200);
		request->has_file = true;
		request->file = file;
		request->file_size = (uint64_t)size;
	}
	json_decref(result);
}

static void on_outcome(void *user, const struct ml_outcome *outcome)
{
	struct http_request *request = user;
	request->job = 0;
	const enum http_shape shape = outcome->code ? HTTP_SHAPE_RESULT : request->route->shape;
	if (shape == HTTP_SHAPE_GRAPH) {
		reply_graph(request, outcome);
	} else if (shape == HTTP_SHAPE_METRICS) {
		reply_metrics(request, outcome);
	} else if (shape == HTTP_SHAPE_FILE) {
		reply_file(request, outcome);
	} else {
		if (shape == HTTP_SHAPE_REVISION)
			tag_revision(request, outcome);
		http_reply_outcome(request, outcome);
	}
	http_resume(request);
}

/* ---- Calls ---- */

static bool wants_async(const struct http_request *request)
{
	const char *prefer = http_header(request, "Prefer");
	return prefer && strcasestr(prefer, "respond-async");
}

static void call_async(struct http_request *request, struct ml_call *call)
{
	struct ml_errors errors = {0};
	if (ml_command_check(request->http->engine, call, &errors) < 0) {
		const struct ml_outcome outcome = {
			.code = errors.count ? errors.items[0].code : -ENOMEM,
			.errors = errors.items,
			.error_count = errors.count,
			.more_errors = errors.more,
		};
		http_reply_outcome(request, &outcome);
		ml_errors_free(&errors);
		return;
	}
	call->done = NULL;
	const unsigned long long job = ml_command_call(request->http->engine, call);
	struct ml_buffer buffer = {0};
	ml_buffer_appendf(&buffer, "{\"job\": %llu}\n", job);
	http_reply_header(request, "Location", "/api/v1/jobs/%llu", job);
	http_reply_header(request, "Preference-Applied", "respond-async");
	http_reply_buffer(request, job ? 202 : 503, "application/json", &buffer);
}

static void start(struct http_request *request, const char *command, bool async)
{
	json_t *params = gather(request, command);
	if (!params)
		return;
	const bool as_sent = request->route->body == HTTP_BODY_PARAMS && request->body.length > 0;
	struct ml_call call = {
		.command = command,
		.params = params,
		.text = as_sent ? request->body.data : NULL,
		.length = as_sent ? request->body.length : 0,
		.user = "local",
		.role = ML_ROLE_ADMIN,
		.done = on_outcome,
		.user_data = request,
		.lane = request->http->lane,
	};
	if (request->route->shape == HTTP_SHAPE_PAGES) {
		http_pages_begin(request, command, params);
	} else if (async) {
		call_async(request, &call);
	} else {
		request->job = ml_command_call(request->http->engine, &call);
		if (request->job)
			http_suspend(request);
		else
			http_reply_problem(request, 503, "out of memory");
	}
	json_decref(params);
}

static void handle_command(struct http_request *request)
{
	start(request, request->argument, wants_async(request));
}

void http_dispatch(struct http_request *request)
{
	const struct http_route *route = request->route;
	if (!route)
		http_static(request);
	else if (route->handle)
		route->handle(request);
	else
		start(request, route->command, false);
}
