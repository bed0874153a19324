/* OpenAPI 3.1 of the gateway, from the tables of routes and commands.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "http/route.h"

static const struct ml_param no_params[] = {{0}};

static json_t *schema_of(const struct ml_command *command)
{
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &text);
	ml_params_schema(command->params ? command->params : no_params, &w);
	json_t *schema = text.failed ? NULL : json_loadb(text.data, text.length, 0, NULL);
	ml_buffer_free(&text);
	return schema;
}

static void write_json(struct ml_json_writer *w, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
	if (text)
		ml_json_raw(w, text, strlen(text));
	else
		ml_json_bool(w, true); /* the schema that takes anything */
	free(text);
}

static void write_parameter(struct ml_json_writer *w, const char *name, const char *in,
	bool required, const json_t *schema)
{
	ml_json_begin_object(w);
	ml_json_key(w, "name");
	ml_json_string(w, name);
	ml_json_key(w, "in");
	ml_json_string(w, in);
	ml_json_key(w, "required");
	ml_json_bool(w, required);
	ml_json_key(w, "schema");
	write_json(w, schema);
	ml_json_end_object(w);
}

static bool is_required(const json_t *schema, const char *name)
{
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(schema, "required"), i, item)
	{
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

/* What stands in the path and, where there is no body for it, in the query. */
static void write_parameters(
	struct ml_json_writer *w, const struct http_route *route, const json_t *schema)
{
	char argument[64] = "";
	size_t length = 0;
	const char *found = http_route_argument(route->path, &length);
	json_t *properties = json_object_get(schema, "properties");
	if (found)
		(void)snprintf(argument, sizeof argument, "%.*s", (int)length, found);
	ml_json_key(w, "parameters");
	ml_json_begin_array(w);
	if (found)
		write_parameter(w, argument, "path", true, json_object_get(properties, argument));
	if (strcmp(route->path, "/api/v1/events") == 0)
		write_parameter(w, "topics", "query", false, NULL);
	if (route->shape == HTTP_SHAPE_REVISION)
		write_parameter(w, "If-Match", "header", route->body == HTTP_BODY_GRAPH, NULL);
	const char *name;
	json_t *property;
	json_object_foreach(properties, name, property)
	{
		const bool in_header = strcmp(name, "base") == 0;
		const bool in_body = route->body == HTTP_BODY_GRAPH &&
				     (strcmp(name, "graph") == 0 || strcmp(name, "text") == 0);
		if (route->body == HTTP_BODY_PARAMS || in_header || in_body ||
			strcmp(name, argument) == 0)
			continue;
		write_parameter(w, name, "query", is_required(schema, name), property);
	}
	ml_json_end_array(w);
}

static void write_body(struct ml_json_writer *w, const json_t *schema)
{
	ml_json_key(w, "requestBody");
	ml_json_begin_object(w);
	ml_json_key(w, "content");
	ml_json_begin_object(w);
	ml_json_key(w, "application/json");
	ml_json_begin_object(w);
	ml_json_key(w, "schema");
	write_json(w, schema);
	ml_json_end_object(w);
	ml_json_end_object(w);
	ml_json_end_object(w);
}

static void write_response(struct ml_json_writer *w, const char *status, const char *text)
{
	ml_json_key(w, status);
	ml_json_begin_object(w);
	ml_json_key(w, "description");
	ml_json_string(w, text);
	ml_json_end_object(w);
}

static void write_operation(struct ml_json_writer *w, const struct http_route *route,
	const struct ml_command *command, const char *method)
{
	char key[8] = "";
	for (size_t i = 0; i < sizeof key - 1 && method[i]; i++)
		key[i] = (char)(method[i] | 0x20);
	json_t *schema = command ? schema_of(command) : NULL;
	ml_json_key(w, key);
	ml_json_begin_object(w);
	ml_json_key(w, "summary");
	ml_json_string(w, command ? command->title : route ? route->title : NULL);
	if (command) {
		ml_json_key(w, "description");
		ml_json_string(w, command->help);
	}
	if (route)
		write_parameters(w, route, schema);
	if (!route)
		write_body(w, schema);
	else if (route->body != HTTP_BODY_NONE)
		write_body(w, NULL);
	ml_json_key(w, "responses");
	ml_json_begin_object(w);
	write_response(w, "200", "It is done; the result");
	if (!route)
		write_response(w, "202", "It was started as a job (Prefer: respond-async)");
	if (route && route->shape == HTTP_SHAPE_REVISION)
		write_response(w, "409", "The graph was changed meanwhile; the difference is told");
	write_response(w, "422", "What was sent is wrong; every error with pointer and text");
	ml_json_end_object(w);
	ml_json_end_object(w);
	json_decref(schema);
}

static void write_routes(struct ml_json_writer *w, struct ml_engine *engine)
{
	const char *path = NULL;
	for (const struct http_route *route = http_routes; route->method; route++) {
		const struct ml_command *command =
			route->command ? ml_command_find(engine, route->command) : NULL;
		if (route->command && !command)
			continue; /* of a family that is not in this program */
		if (!path || strcmp(path, route->path) != 0) {
			if (path)
				ml_json_end_object(w);
			path = route->path;
			ml_json_key(w, path);
			ml_json_begin_object(w);
		}
		write_operation(w, route, command, route->method);
	}
	if (path)
		ml_json_end_object(w);
}

static void write_commands(struct ml_json_writer *w, struct ml_engine *engine)
{
	char path[160];
	for (size_t i = 0; i < ml_command_count(engine); i++) {
		const struct ml_command *command = ml_command_at(engine, i);
		(void)snprintf(path, sizeof path, "/api/v1/commands/%s", command->name);
		ml_json_key(w, path);
		ml_json_begin_object(w);
		write_operation(w, NULL, command, "POST");
		ml_json_end_object(w);
	}
}

void http_openapi(struct http_request *request)
{
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &text);
	w.pretty = true;
	ml_json_begin_object(&w);
	ml_json_key(&w, "openapi");
	ml_json_string(&w, "3.1.0");
	ml_json_key(&w, "info");
	ml_json_begin_object(&w);
	ml_json_key(&w, "title");
	ml_json_string(&w, "Meterloom");
	ml_json_key(&w, "version");
	ml_json_string(&w, METERLOOM_VERSION);
	ml_json_end_object(&w);
	ml_json_key(&w, "paths");
	ml_json_begin_object(&w);
	write_routes(&w, request->http->engine);
	write_commands(&w, request->http->engine);
	ml_json_end_object(&w);
	ml_json_end_object(&w);
	ml_buffer_append(&text, "\n", 1);
	http_reply_buffer(request, 200, "application/json", &text);
}
