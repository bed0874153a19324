/* `meterloom call`: calls a command of a running gateway.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tool_call.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/json.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/watch.h"

static const char help[] =
	"Usage: meterloom call [OPTIONS] [NAME [JSON]]\n"
	"\n"
	"Calls a command of a running gateway and prints its result. JSON is an object of "
	"parameters,\n"
	"or - to read it from the standard input. Without a name the commands are listed.\n"
	"\n"
	"  --url URL         the gateway (default: http://127.0.0.1:8080)\n"
	"  --file NAME=FILE  the parameter NAME is the text of FILE: a graph, a meter list\n"
	"  --json            print the result, or what is wrong, as the gateway sent it\n"
	"  --progress        tell on the standard error output how far it is and what was found;\n"
	"                    so it is without being asked where that is a terminal. Ctrl-C then\n"
	"                    cancels the command\n"
	"\n"
	"Exit status: 0 it is done, 1 the command failed, 2 wrong usage, 3 the gateway is not "
	"reached.\n"
	"\n"
	"A secret goes through the standard input, since others can see the arguments of "
	"programs:\n"
	"  echo '{\"name\": \"smtp\", \"value\": \"...\"}' | meterloom call secret.set -\n";

enum { DONE, FAILED, WRONG_USAGE, NOT_REACHED };
enum { STATUS_ACCEPTED = 202 };
enum { FILES_MAX = 8, FILE_BYTES_MAX = 16 * 1024 * 1024 };

struct options {
	const char *name, *json, *url;
	const char *files[FILES_MAX]; /* NAME=FILE */
	size_t file_count;
	bool raw, progress;
};

static int wrong_usage(const char *text, const char *what)
{
	(void)fprintf(
		stderr, "meterloom call: %s%s\n`meterloom call --help` tells more.\n", text, what);
	return WRONG_USAGE;
}

/* -1: help was given. */
static int read_options(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		if (strcmp(name, "--help") == 0) {
			(void)fputs(help, stdout);
			return -1;
		}
		if (strcmp(name, "--json") == 0)
			options->raw = true;
		else if (strcmp(name, "--progress") == 0)
			options->progress = true;
		else if (strcmp(name, "--url") == 0 && i + 1 < argc)
			options->url = argv[++i];
		else if (strcmp(name, "--file") == 0 && i + 1 < argc &&
			 options->file_count < FILES_MAX && strchr(argv[i + 1], '='))
			options->files[options->file_count++] = argv[++i];
		else if (strcmp(name, "--file") == 0 && i + 1 < argc)
			return wrong_usage(
				"expected --file NAME=FILE, at most 8 times, not ", argv[i + 1]);
		else if (strcmp(name, "--url") == 0 || strcmp(name, "--file") == 0)
			return wrong_usage("a value is missing after ", name);
		else if (name[0] == '-' && name[1])
			return wrong_usage("there is no option ", name);
		else if (!options->name)
			options->name = name;
		else if (!options->json)
			options->json = name;
		else
			return wrong_usage("too many arguments: ", name);
	}
	if (options->name && strcmp(options->name, "secret.set") == 0 && options->json &&
		strcmp(options->json, "-") != 0)
		return wrong_usage(
			"others can see the arguments of programs: give the secret on the "
			"standard input, with - as JSON",
			"");
	return 0;
}

/* ---- Printing ---- */

static void print_result(const struct options *options, const struct ml_buffer *answer)
{
	struct ml_buffer text = {0};
	if (options->raw || ml_json_format(answer->data, answer->length, &text, NULL) < 0)
		(void)fwrite(answer->data, 1, answer->length, stdout);
	else
		(void)fwrite(text.data, 1, text.length, stdout);
	ml_buffer_free(&text);
}

static void print_commands(const struct ml_buffer *answer)
{
	json_t *list = json_loadb(answer->data, answer->length, 0, NULL);
	size_t i;
	json_t *command;
	json_array_foreach(list, i, command)
	{
		const char *name = json_string_value(json_object_get(command, "name"));
		const char *title = json_string_value(json_object_get(command, "title"));
		(void)printf("%-22s %s\n", name ? name : "", title ? title : "");
	}
	json_decref(list);
}

/* Every error with its place; 0 lines where the answer is not one of ours. */
static size_t print_errors(const char *name, const json_t *problem)
{
	size_t i, count = 0;
	json_t *error;
	json_array_foreach(json_object_get(problem, "errors"), i, error)
	{
		const char *pointer = json_string_value(json_object_get(error, "pointer"));
		const char *text = json_string_value(json_object_get(error, "text"));
		const json_int_t line = json_integer_value(json_object_get(error, "line"));
		const json_int_t column = json_integer_value(json_object_get(error, "column"));
		(void)fprintf(stderr, "%s: ", name);
		if (line > 0)
			(void)fprintf(stderr, "%d:%d: ", (int)line, (int)column);
		if (pointer && *pointer)
			(void)fprintf(stderr, "%s: ", pointer);
		(void)fprintf(stderr, "%s\n", text ? text : "");
		count++;
	}
	return count;
}

static void print_problem(
	const struct options *options, const struct ml_buffer *answer, long status)
{
	const char *name = options->name ? options->name : "meterloom call";
	if (options->raw && answer->length > 0) {
		(void)fwrite(answer->data, 1, answer->length, stdout);
		(void)fputc('\n', stdout);
		return;
	}
	json_t *problem = answer->data ? json_loadb(answer->data, answer->length, 0, NULL) : NULL;
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	if (print_errors(name, problem) == 0)
		(void)fprintf(stderr, "%s: %s (HTTP status %ld)\n", name,
			detail ? detail : "this is not the answer of a gateway", status);
	json_decref(problem);
}

/* ---- Calling ---- */

static int read_input(struct ml_buffer *input)
{
	char block[4096];
	ssize_t got = 0;
	while ((got = read(STDIN_FILENO, block, sizeof block)) > 0)
		ml_buffer_append(input, block, (size_t)got);
	ml_buffer_append(input, "", 0);
	return got < 0 || input->failed ? -1 : 0;
}

static int check_json(const char *text)
{
	json_error_t where;
	json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	const bool object = json_is_object(tree);
	json_decref(tree);
	if (!tree)
		(void)fprintf(stderr, "meterloom call: the parameters are not JSON: %d:%d: %s\n",
			where.line, where.column, where.text);
	else if (!object)
		(void)fprintf(stderr, "meterloom call: expected an object of parameters, "
				      "{\"name\": value, ...}\n");
	return object ? 0 : -1;
}

/* Adds `"NAME": "text of FILE"` to an object. The rest of it stays as it was written, since numbers
 * are exact only as texts. */
static int add_file(struct ml_buffer *body, const char *argument)
{
	struct ml_error err = ML_ERROR_NONE;
	struct ml_buffer text = {0}, name = {0}, added = {0};
	struct ml_json_writer w;
	const char *path = strchr(argument, '=') + 1;
	json_t *tree = json_loads(body->data, 0, NULL);
	json_t *value = NULL;
	int result = ml_tool_read_file(path, FILE_BYTES_MAX, &text, &err);
	ml_buffer_append(&name, argument, (size_t)(path - 1 - argument));
	if (result == 0 && json_object_get(tree, name.data))
		result = ml_error_set(&err, -EINVAL,
			"%s: the parameter '%s' is given already in the JSON", path, name.data);
	if (result == 0 && !(value = json_stringn(text.data, text.length)))
		result = ml_error_set(&err, -EILSEQ, "%s: it is no text in UTF-8", path);
	if (result == 0) {
		ml_json_writer_init(&w, &added);
		ml_json_begin_object(&w);
		ml_json_key(&w, name.data);
		ml_json_string_n(&w, text.data, text.length);
		ml_json_end_object(&w);
		/* The comma takes the place of the brace that ended the object. */
		body->length = (size_t)(strrchr(body->data, '}') - body->data);
		if (json_object_size(tree) > 0)
			ml_buffer_append(body, ",", 1);
		ml_buffer_append(body, added.data + 1, added.length - 1);
		result = body->failed ? ml_error_set(&err, -ENOMEM, "out of memory") : 0;
	}
	if (result < 0)
		(void)fprintf(stderr, "meterloom call: %s\n", err.text);
	json_decref(value);
	json_decref(tree);
	ml_buffer_free(&text);
	ml_buffer_free(&name);
	ml_buffer_free(&added);
	return result;
}

static int not_reached(const struct options *options, const struct ml_buffer *reason)
{
	(void)fprintf(stderr,
		"meterloom call: the gateway at %s is not reached: %s; does `meterloom run` run, "
		"and is --url right?\n",
		options->url, reason->data ? reason->data : "out of memory");
	return NOT_REACHED;
}

/* Of a job that was started, and is watched until its end. */
static int watch(const struct options *options, struct cli_client *client, struct ml_buffer *answer)
{
	switch (cli_watch(client, answer)) {
	case CLI_WATCHED_RESULT:
		print_result(options, answer);
		return DONE;
	case CLI_WATCHED_LOST:
		return not_reached(options, answer);
	default:
		print_problem(options, answer, STATUS_ACCEPTED);
		return FAILED;
	}
}

static int call(const struct options *options, const char *body)
{
	struct ml_buffer answer = {0};
	int result = DONE;
	char path[1024] = "commands";
	struct cli_client *client = cli_client_new(options->url);
	char *name = options->name ? curl_easy_escape(NULL, options->name, 0) : NULL;
	const bool listed = !options->name;
	if (name)
		(void)snprintf(path, sizeof path, "commands/%s", name);
	const long status = client && (name || listed)
				    ? cli_client_ask(client, listed ? "GET" : "POST", path,
					      listed ? NULL : body, options->progress, &answer)
				    : 0;
	if (status == 0) {
		result = not_reached(options, &answer);
	} else if (status == STATUS_ACCEPTED) {
		result = watch(options, client, &answer);
	} else if (status < 200 || status > 299) {
		print_problem(options, &answer, status);
		result = FAILED;
	} else if (listed && !options->raw) {
		print_commands(&answer);
	} else {
		print_result(options, &answer);
	}
	curl_free(name);
	cli_client_free(client);
	ml_buffer_free(&answer);
	return result;
}

int tool_call(int argc, char **argv, const struct ml_family *const *families)
{
	(void)families;
	struct options options = {
		.url = "http://127.0.0.1:8080", .progress = isatty(STDERR_FILENO) == 1};
	const int usage = read_options(argc, argv, &options);
	if (usage != 0)
		return usage < 0 ? DONE : usage;
	struct ml_buffer body = {0};
	const char *json = options.json ? options.json : "{}";
	int result = WRONG_USAGE;
	if (strcmp(json, "-") != 0) {
		ml_buffer_append(&body, json, strlen(json));
	} else if (read_input(&body) < 0) {
		(void)fprintf(stderr, "meterloom call: the standard input cannot be read\n");
		goto finish;
	}
	if (check_json(body.data) < 0)
		goto finish;
	for (size_t i = 0; i < options.file_count; i++) {
		if (add_file(&body, options.files[i]) < 0)
			goto finish;
	}
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	result = call(&options, body.data);
	curl_global_cleanup();
finish:
	ml_buffer_free(&body);
	return result;
}
