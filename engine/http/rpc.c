/* JSON-RPC 2.0: calls one after the other, so that a batch means what it says.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/rpc.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/setting.h>

#include "command/job.h"
#include "http/server.h"

enum { BATCH_MAX = 100 };

enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_COMMAND_FAILED = -32000, /* data tells more */
};

struct http_rpc {
	struct ml_engine *engine;
	struct ml_lane *lane;
	void (*finished)(void *user);
	void *user;
	uint64_t job;     /* whose end is awaited; 0: none */
	json_t *document; /* a request, or a list of them */
	char *text;       /* owned: what it was parsed from */
	size_t length;
	size_t index, count;
	size_t answers;
	struct ml_buffer out;
	struct ml_json_writer w;
};

void http_rpc_free(struct http_rpc *rpc)
{
	if (!rpc)
		return;
	if (rpc->job)
		ml_command_forget(rpc->engine, rpc->job);
	json_decref(rpc->document);
	if (rpc->text)
		ml_wipe(rpc->text, rpc->length); /* it may hold a secret */
	free(rpc->text);
	ml_buffer_free(&rpc->out);
	free(rpc);
}

static bool is_batch(const struct http_rpc *rpc)
{
	return json_is_array(rpc->document);
}

static const json_t *current(const struct http_rpc *rpc)
{
	return is_batch(rpc) ? json_array_get(rpc->document, rpc->index) : rpc->document;
}

/* ---- Answers ---- */

static void begin_answer(struct http_rpc *rpc, const json_t *id)
{
	struct ml_json_writer *w = &rpc->w;
	rpc->answers++;
	ml_json_begin_object(w);
	ml_json_key(w, "jsonrpc");
	ml_json_string(w, "2.0");
	char *text = id ? json_dumps(id, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
	ml_json_key(w, "id");
	if (text)
		ml_json_raw(w, text, strlen(text));
	else
		ml_json_null(w);
	free(text);
}

static void begin_error(struct http_rpc *rpc, const json_t *id, int code, const char *text)
{
	struct ml_json_writer *w = &rpc->w;
	begin_answer(rpc, id);
	ml_json_key(w, "error");
	ml_json_begin_object(w);
	ml_json_key(w, "code");
	ml_json_integer(w, code);
	ml_json_key(w, "message");
	ml_json_string(w, text);
}

static void end_error(struct http_rpc *rpc)
{
	ml_json_end_object(&rpc->w);
	ml_json_end_object(&rpc->w);
}

static void answer_error(struct http_rpc *rpc, const json_t *id, int code, const char *text)
{
	begin_error(rpc, id, code, text);
	end_error(rpc);
}

static void answer_failure(
	struct http_rpc *rpc, const json_t *id, const struct ml_outcome *outcome, bool known)
{
	struct ml_json_writer *w = &rpc->w;
	int code = RPC_COMMAND_FAILED;
	if (!known)
		code = RPC_METHOD_NOT_FOUND;
	else if (outcome->code == -EINVAL)
		code = RPC_INVALID_PARAMS;
	begin_error(rpc, id, code,
		outcome->error_count ? outcome->errors[0].text : "the command failed");
	ml_json_key(w, "data");
	ml_json_begin_object(w);
	ml_json_key(w, "code");
	ml_json_string(w, http_code_name(outcome->code));
	ml_json_key(w, "errors");
	ml_errors_write(outcome->errors, outcome->error_count, w);
	if (outcome->detail) {
		ml_json_key(w, "detail");
		ml_json_raw(w, outcome->detail, strlen(outcome->detail));
	}
	ml_json_end_object(w);
	end_error(rpc);
}

/* ---- Calls ---- */

/* Goes on with the batch until a command has to be waited for; true: it is at its end. */
static bool go_on(struct http_rpc *rpc);

static void on_outcome(void *user, const struct ml_outcome *outcome)
{
	struct http_rpc *rpc = user;
	const json_t *call = current(rpc);
	const json_t *id = json_object_get(call, "id");
	const char *method = json_string_value(json_object_get(call, "method"));
	rpc->job = 0;
	if (id && outcome->code == 0) {
		begin_answer(rpc, id);
		ml_json_key(&rpc->w, "result");
		ml_json_raw(&rpc->w, outcome->result, outcome->result_length);
		ml_json_end_object(&rpc->w);
	} else if (id) {
		answer_failure(rpc, id, outcome, ml_command_find(rpc->engine, method) != NULL);
	}
	rpc->index++;
	if (go_on(rpc))
		rpc->finished(rpc->user);
}

static const char *check_shape(const json_t *call)
{
	const json_t *version = json_object_get(call, "jsonrpc");
	const json_t *id = json_object_get(call, "id");
	const json_t *params = json_object_get(call, "params");
	if (!json_is_object(call))
		return "expected an object with jsonrpc, method, params and id";
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0)
		return "expected \"jsonrpc\": \"2.0\"";
	if (!json_is_string(json_object_get(call, "method")))
		return "expected \"method\": the name of a command";
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "expected an id that is a string, a number or null";
	if (params && !json_is_object(params) && !json_is_array(params))
		return "expected params that are an object";
	return NULL;
}

/* true: a command runs, on_outcome() goes on. */
static bool call_command(struct http_rpc *rpc, const json_t *call)
{
	const json_t *params = json_object_get(call, "params");
	char pointer[32] = "/params";
	struct ml_json_place place = {0};
	if (is_batch(rpc))
		(void)snprintf(pointer, sizeof pointer, "/%zu/params", rpc->index);
	const bool placed = params && ml_json_locate(rpc->text, rpc->length, pointer, &place) == 0;
	const struct ml_call todo = {
		.command = json_string_value(json_object_get(call, "method")),
		.params = params,
		.text = placed ? rpc->text + place.begin : NULL,
		.length = placed ? place.end - place.begin : 0,
		.user = "local",
		.role = ML_ROLE_ADMIN,
		.done = on_outcome,
		.user_data = rpc,
		.lane = rpc->lane,
	};
	rpc->job = ml_command_call(rpc->engine, &todo);
	return rpc->job != 0;
}

static bool go_on(struct http_rpc *rpc)
{
	for (; rpc->index < rpc->count; rpc->index++) {
		const json_t *call = current(rpc);
		const json_t *id = json_object_get(call, "id");
		const char *wrong = check_shape(call);
		if (wrong)
			answer_error(rpc, NULL, RPC_INVALID_REQUEST, wrong);
		else if (json_is_array(json_object_get(call, "params")))
			answer_error(rpc, id, RPC_INVALID_PARAMS,
				"parameters go by name: expected an object, not a list");
		else if (call_command(rpc, call))
			return false;
		else
			answer_error(rpc, id, RPC_COMMAND_FAILED, "out of memory");
	}
	if (is_batch(rpc) && rpc->count > 0)
		ml_json_end_array(&rpc->w);
	ml_buffer_append(&rpc->out, "\n", 1);
	return true;
}

static void parse(struct http_rpc *rpc)
{
	json_error_t where;
	char text[256];
	rpc->document = json_loadb(
		rpc->text, rpc->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	rpc->count = is_batch(rpc) ? json_array_size(rpc->document) : 1;
	if (!rpc->document) {
		rpc->count = 0;
		(void)snprintf(text, sizeof text, "the body is not JSON: line %d, column %d: %s",
			where.line, where.column, where.text);
		answer_error(rpc, NULL, RPC_PARSE_ERROR, text);
	} else if (is_batch(rpc) && (rpc->count == 0 || rpc->count > BATCH_MAX)) {
		(void)snprintf(text, sizeof text, "a batch of %zu requests: expected 1 to %d",
			rpc->count, BATCH_MAX);
		rpc->count = 0;
		answer_error(rpc, NULL, RPC_INVALID_REQUEST, text);
	} else if (is_batch(rpc)) {
		ml_json_begin_array(&rpc->w);
	}
}

/* ---- For the server ---- */

struct http_rpc *http_rpc_new(struct ml_engine *engine, struct ml_lane *lane, const char *text,
	size_t length, void (*finished)(void *user), void *user)
{
	struct http_rpc *rpc = calloc(1, sizeof *rpc);
	if (!rpc)
		return NULL;
	rpc->engine = engine;
	rpc->lane = lane;
	rpc->finished = finished;
	rpc->user = user;
	ml_json_writer_init(&rpc->w, &rpc->out);
	rpc->length = length;
	rpc->text = malloc(length + 1);
	if (!rpc->text) {
		free(rpc);
		return NULL;
	}
	if (length > 0)
		memcpy(rpc->text, text, length);
	rpc->text[length] = '\0';
	return rpc;
}

bool http_rpc_start(struct http_rpc *rpc)
{
	parse(rpc);
	return go_on(rpc);
}

struct ml_buffer *http_rpc_answer(struct http_rpc *rpc)
{
	return rpc->answers ? &rpc->out : NULL;
}

static void reply(struct http_request *request)
{
	struct ml_buffer *answer = http_rpc_answer(request->rpc);
	if (answer)
		http_reply_buffer(request, 200, "application/json", answer);
	else
		http_reply_empty(request, 204);
}

static void on_finished(void *user)
{
	reply(user);
	http_resume(user);
}

void http_rpc_begin(struct http_request *request)
{
	struct ml_http *http = request->http;
	request->rpc = http_rpc_new(http->engine, http->lane, request->body.data,
		request->body.length, on_finished, request);
	if (!request->rpc)
		http_reply_problem(request, 503, "out of memory");
	else if (http_rpc_start(request->rpc))
		reply(request);
	else
		http_suspend(request);
}
