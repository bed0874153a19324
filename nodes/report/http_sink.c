/* The node http-sink: delivers reports by HTTP POST.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One report at a time: the next is taken when this one is delivered or given up. What is given up
 * fails its ack, and its values go with the next report.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/event.h>
#include <meterloom/node.h>
#include <meterloom/setting.h>

#include "meter/delivery.h"
#include "report/family.h"
#include "report/http_transfer.h"
#include "report/retry_params.h"

enum { IN };
enum { DELIVERED, FAILED, RETRIES, BYTES }; /* metrics */
enum auth { AUTH_NONE, AUTH_BASIC };
enum { SECRET_MAX = 4097, SHOWN_MAX = 200, URL_MAX = 2000, USER_MAX = 256, NAME_MAX_BYTES = 128 };

struct http_sink {
	/* parameters */
	char *url, *user, *password, *ca_file, *proxy;
	int auth;
	struct report_retry_own retry;
	ml_time connect_timeout, send_timeout, answer_timeout;
	bool other_hosts;

	struct ml_node *node;
	struct http_client *client;
	struct ml_message *held; /* the report that is being delivered; NULL: none */
	unsigned retries;        /* done for it */
	struct ml_timer retry_timer, deadline;
	char shown[SHOWN_MAX]; /* the URL without what may be secret */
};

/* ---- Delivering ---- */

static void take_next(struct http_sink *self)
{
	ml_timer_stop(&self->retry_timer);
	ml_timer_stop(&self->deadline);
	self->held = NULL;
	self->retries = 0;
	ml_node_demand(self->node, IN, 1);
}

static void give_up(struct http_sink *self, bool refused, const char *reason)
{
	struct ml_message *message = self->held;
	const struct meter_document *document = meter_document(message);
	meter_delivery_tell(document->delivery,
		refused ? METER_DELIVERY_REFUSED : METER_DELIVERY_FAILED, self->shown, reason);
	if (meter_delivery_purpose(document->delivery) != METER_DELIVERY_REPORT) {
		ml_fail(self->node, message, "%s to %s: %s", document->name, self->shown, reason);
		take_next(self);
		return;
	}
	ml_node_count(self->node, FAILED, 1);
	ml_event_raise(ml_node_engine(self->node), refused ? "report-refused" : "report-failed",
		ml_node_id(self->node), "report", document->name, "receiver", self->shown, "reason",
		reason, NULL);
	ml_node_state(self->node, refused ? ML_STATE_FAULT : ML_STATE_WAITING, "%s %s: %s",
		document->name, refused ? "was refused" : "was not delivered", reason);
	ml_fail(self->node, message, "%s to %s: %s", document->name, self->shown, reason);
	take_next(self);
}

static void try_again_or_give_up(struct http_sink *self, ml_time after, const char *reason)
{
	const struct meter_document *document = meter_document(self->held);
	const struct report_retry_plan plan = report_retry_plan(&self->retry, document);
	const ml_time wall = ml_node_wall(self->node);
	ml_time at = 0;
	if (!report_retry_at(&plan, self->retries, wall, after, document->next, &at)) {
		give_up(self, false, reason);
		return;
	}
	meter_delivery_tell(document->delivery, METER_DELIVERY_FAILED, self->shown, reason);
	ml_node_state(self->node, ML_STATE_WAITING, "retry %u of %u of %s in %lld s: %s",
		self->retries + 1, plan.count, document->name, (long long)((at - wall) / ML_SEC),
		reason);
	ml_node_log(self->node, ML_LOG_WARNING, "%s to %s: %s; retry %u of %u in %lld s",
		document->name, self->shown, reason, self->retries + 1, plan.count,
		(long long)((at - wall) / ML_SEC));
	ml_timer_start(&self->retry_timer, ml_node_now(self->node) + (at - wall));
}

/* Where it goes: the node's own, or what the settings say at this moment. */
struct place {
	char url[URL_MAX + 1], user[USER_MAX + 1], password[NAME_MAX_BYTES];
	bool basic;
};

static void take_setting(
	struct ml_engine *engine, const char *setting, const char *member, char *out, size_t size)
{
	json_t *value = ml_setting_get(engine, setting);
	const char *text = json_string_value(member ? json_object_get(value, member) : value);
	(void)snprintf(out, size, "%s", text ? text : "");
	json_decref(value);
}

static int find_place(struct http_sink *self, struct place *place, struct ml_error *err)
{
	struct ml_engine *engine = ml_node_engine(self->node);
	*place = (struct place){.basic = self->auth == AUTH_BASIC};
	if (self->url) {
		(void)snprintf(place->url, sizeof place->url, "%s", self->url);
		(void)snprintf(place->user, sizeof place->user, "%s", self->user ? self->user : "");
		(void)snprintf(place->password, sizeof place->password, "%s",
			self->password ? self->password : "");
	} else {
		take_setting(engine, "report.http.url", NULL, place->url, sizeof place->url);
		take_setting(engine, "report.http.user", NULL, place->user, sizeof place->user);
		take_setting(engine, "report.http.password", "secret", place->password,
			sizeof place->password);
		place->basic = place->user[0] != '\0';
	}
	if (!place->url[0])
		return ml_error_set(err, -ENOENT,
			"there is no address to send to: set 'url', or report.http.url for all");
	http_url_public(place->url, self->shown, sizeof self->shown);
	return 0;
}

/* Begins to send; a failure to begin counts as one of the try. */
static void send(struct http_sink *self)
{
	const struct meter_document *document = meter_document(self->held);
	char type[METER_DOCUMENT_TYPE_MAX + METER_DOCUMENT_CHARSET_MAX + 16];
	(void)meter_document_content_type(document, type);
	char secret[SECRET_MAX] = "";
	struct ml_error err = ML_ERROR_NONE;
	struct place place;
	int r = find_place(self, &place, &err);
	if (r == 0 && place.basic)
		r = ml_secret_get(
			ml_node_engine(self->node), place.password, secret, sizeof secret, &err);
	const struct http_request request = {
		.url = place.url,
		.path = document->path,
		.size = document->size,
		.content_type = type,
		.filename = document->name,
		.key = document->key,
		.test = meter_delivery_purpose(document->delivery) == METER_DELIVERY_TEST,
		.user = place.basic ? place.user : NULL,
		.password = secret,
		.ca_file = self->ca_file,
		.proxy = self->proxy,
		.connect_timeout = self->connect_timeout,
		.send_timeout = self->send_timeout,
		.answer_timeout = self->answer_timeout,
		.other_hosts = self->other_hosts,
	};
	if (r == 0)
		r = http_client_send(self->client, &request, &err);
	ml_wipe(secret, sizeof secret);
	if (r == 0)
		ml_node_state(self->node, ML_STATE_RUNNING, "sending %s", document->name);
	else
		try_again_or_give_up(self, 0, err.text);
}

static void on_answer(void *user, const struct http_answer *answer)
{
	struct http_sink *self = user;
	const struct meter_document *document = meter_document(self->held);
	ml_timer_stop(&self->deadline);
	if (answer->result == HTTP_REFUSED) {
		give_up(self, true, answer->reason);
	} else if (answer->result == HTTP_FAILED) {
		try_again_or_give_up(self, answer->retry_after, answer->reason);
	} else {
		ml_node_count(self->node, DELIVERED, 1);
		ml_node_count(self->node, BYTES, (int64_t)document->size);
		ml_node_log(self->node, ML_LOG_INFO,
			"delivered %s (%llu bytes) to %s in %lld ms: HTTP %d", document->name,
			(unsigned long long)document->size, self->shown,
			(long long)(answer->took / ML_MSEC), answer->status);
		ml_node_state(self->node, ML_STATE_RUNNING, "delivered %s", document->name);
		meter_delivery_tell(
			document->delivery, METER_DELIVERY_DELIVERED, self->shown, NULL);
		ml_release(self->node, self->held);
		take_next(self);
	}
}

static void retry_fire(struct ml_timer *timer)
{
	struct http_sink *self = timer->user;
	const struct meter_document *document = meter_document(self->held);
	self->retries++;
	ml_node_count(self->node, RETRIES, 1);
	if (document->next > 0 && document->next != ML_NEVER) {
		const ml_time left = document->next - ml_node_wall(self->node);
		ml_timer_start(&self->deadline, ml_node_now(self->node) + (left > 0 ? left : 0));
	}
	send(self);
}

/* The next report is due while a retry still runs. */
static void deadline_fire(struct ml_timer *timer)
{
	struct http_sink *self = timer->user;
	if (!self->held)
		return;
	http_client_cancel(self->client);
	give_up(self, false, "the next report is due");
}

/* ---- The node ---- */

static int check_timeout(const json_t *value, struct ml_error *err)
{
	if (json_is_number(value) && json_number_value(value) == 0)
		return ml_error_set(err, -EINVAL,
			"0 leaves no time at all: expected 1 or more, or -1 for no limit");
	return 0;
}

static int sink_check(const void *instance, struct ml_check *check, struct ml_error *err)
{
	(void)check;
	const struct http_sink *self = instance;
	if (!self->url && (self->auth != AUTH_NONE || self->user || self->password))
		return ml_error_set(err, -EINVAL,
			"without 'url' the settings report.http.* hold: leave 'auth', 'user' and "
			"'password' out, too");
	if (self->auth == AUTH_BASIC && (!self->user || !self->user[0] || !self->password))
		return ml_error_set(err, -EINVAL,
			"\"auth\": \"basic\" needs 'user' and 'password' ({\"secret\": NAME})");
	if (self->auth == AUTH_NONE && (self->user || self->password))
		return ml_error_set(err, -EINVAL,
			"'user' and 'password' are used with \"auth\": \"basic\" alone");
	return 0;
}

static int sink_prepare(struct ml_node *node, void *instance, struct ml_error *err)
{
	(void)err;
	struct http_sink *self = instance;
	self->node = node;
	if (self->url)
		http_url_public(self->url, self->shown, sizeof self->shown);
	else
		(void)snprintf(self->shown, sizeof self->shown, "report.http.url");
	return 0;
}

static void sink_start(struct ml_node *node, void *instance)
{
	struct http_sink *self = instance;
	struct ml_error err = ML_ERROR_NONE;
	ml_timer_init(&self->retry_timer, ml_node_lane(node), retry_fire, self);
	ml_timer_init(&self->deadline, ml_node_lane(node), deadline_fire, self);
	if (http_client_new(node, on_answer, self, &self->client, &err) != 0)
		ml_node_state(node, ML_STATE_FAULT, "%s", err.text);
	ml_node_demand(node, IN, 1);
}

static void sink_process(struct ml_node *node, void *instance, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	struct http_sink *self = instance;
	for (size_t i = 0; i < count; i++) {
		if (!self->client || self->held) {
			ml_fail(node, messages[i], "there is no way to send it");
			continue;
		}
		self->held = messages[i];
		self->retries = 0;
		send(self);
	}
	if (!self->client)
		ml_node_demand(node, IN, 1);
}

static void sink_stop(struct ml_node *node, void *instance)
{
	struct http_sink *self = instance;
	ml_timer_stop(&self->retry_timer);
	ml_timer_stop(&self->deadline);
	http_client_free(self->client);
	self->client = NULL;
	if (self->held)
		ml_fail(node, self->held, "the node was stopped before the report was delivered");
	self->held = NULL;
}

static void sink_retry(struct ml_node *node, void *instance, struct ml_job *job, void *params)
{
	(void)params;
	struct http_sink *self = instance;
	if (!self->held || !ml_timer_running(&self->retry_timer)) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -EAGAIN, "no report waits for a retry here");
		ml_job_fail(job, &err);
		return;
	}
	ml_timer_start(&self->retry_timer, ml_node_now(node));
	ml_job_succeed(job);
}

static void sink_let_go(struct ml_node *node, void *instance, struct ml_job *job, void *params)
{
	(void)node;
	(void)params;
	struct http_sink *self = instance;
	if (!self->held || !ml_timer_running(&self->retry_timer)) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -EAGAIN, "no report waits for a retry here");
		ml_job_fail(job, &err);
		return;
	}
	give_up(self, false, "its wait for a retry was ended by a person");
	ml_job_succeed(job);
}

static const struct ml_choice auth_choices[] = {
	{"none", AUTH_NONE, "no user and no password"},
	{"basic", AUTH_BASIC, "user and password (RFC 7617)"},
	{0},
};

#define FIELD(kind_, name_) \
	.name = #name_, .kind = kind_, .offset = offsetof(struct http_sink, name_)

static const struct ml_param sink_params[] = {
	{FIELD(ML_PARAM_STRING, url), .title = "URL",
		.help = "Where reports are sent by POST: http://HOST/PATH or https://HOST/PATH. "
			"Left "
			"out: address, user and password are those of the settings report.http.*. "
			"The file's "
			"name goes in the header filename, its key in Idempotency-Key. sim:NAME is "
			"a head-end inside this program, and in simulated time all are.",
		.max = URL_MAX, .flags = ML_PARAM_NULLABLE, .check = report_check_url},
	{FIELD(ML_PARAM_CHOICE, auth), .title = "Authentication",
		.help = "How the gateway shows who it is.", .preset = "\"none\"",
		.choices = auth_choices},
	{FIELD(ML_PARAM_STRING, user), .title = "User",
		.help = "The user's name, with authentication basic.", .max = USER_MAX,
		.flags = ML_PARAM_NULLABLE},
	{FIELD(ML_PARAM_SECRET, password), .title = "Password",
		.help = "The name of the secret that holds the password, with authentication "
			"basic.",
		.flags = ML_PARAM_NULLABLE},
	{FIELD(ML_PARAM_STRING, ca_file), .title = "Certificates",
		.help = "A PEM file of the authorities that the server's certificate may be signed "
			"by; left "
			"out: those of the system. Certificates are always verified.",
		.max = 1000, .flags = ML_PARAM_NULLABLE | ML_PARAM_ADVANCED},
	{FIELD(ML_PARAM_STRING, proxy), .title = "Proxy",
		.help = "An HTTP proxy, http://HOST:PORT; left out: none.", .max = 1000,
		.flags = ML_PARAM_NULLABLE | ML_PARAM_ADVANCED},
	{FIELD(ML_PARAM_DURATION, connect_timeout), .title = "Timeout to connect",
		.help = "For the host's name, the connection and TLS; -1: no limit.", .unit = "s",
		.preset = "30", .min = -1, .max = 86400, .flags = ML_PARAM_ADVANCED,
		.check = check_timeout},
	{FIELD(ML_PARAM_DURATION, send_timeout), .title = "Timeout to send",
		.help = "For sending the report; -1: no limit.", .unit = "s", .preset = "300",
		.min = -1, .max = 86400, .flags = ML_PARAM_ADVANCED, .check = check_timeout},
	{FIELD(ML_PARAM_DURATION, answer_timeout), .title = "Timeout for the answer",
		.help = "From the last byte sent to the end of the answer; -1: no limit.",
		.unit = "s", .preset = "60", .min = -1, .max = 86400, .flags = ML_PARAM_ADVANCED,
		.check = check_timeout},
	REPORT_RETRY_PARAMS(struct http_sink,
		"a failure that may pass: no connection, HTTP 408, 429 or 5xx; Retry-After is "
		"honoured"),
	{FIELD(ML_PARAM_BOOL, other_hosts), .title = "Redirects to other hosts",
		.help = "Whether the report may be sent to another host that the server points to. "
			"The "
			"password never goes there. Redirects within the host are always followed.",
		.preset = "false", .flags = ML_PARAM_ADVANCED},
	{0},
};

static const struct ml_port sink_ports[] = {
	[IN] = {"in", ML_INPUT, &meter_document_type, .required = true, .help = "Reports."},
	{0},
};

static const struct ml_action sink_actions[] = {
	{.name = "retry",
		.title = "Try again now",
		.help = "Sends the report that waits for its retry at once.",
		.run = sink_retry},
	{.name = "let-go",
		.title = "Do not wait for the retry",
		.help = "Ends the wait of the report for its retry: it counts as failed, and stays "
			"outstanding. report.discard or report.rebuild can be called then; else "
			"the "
			"next trigger sends it again.",
		.run = sink_let_go},
	{0},
};

static const struct ml_metric sink_metrics[] = {
	[DELIVERED] = {"delivered", .help = "Reports that the receiver took (HTTP 2xx)."},
	[FAILED] = {"given_up", .help = "Reports that were refused, or failed to the last retry."},
	[RETRIES] = {"retries", .help = "Tries after the first."},
	[BYTES] = {"bytes", .help = "Bytes of the reports delivered."},
	{0},
};

const struct ml_node_class report_http_sink_class = {
	.type = "http-sink",
	.version = 1,
	.title = "Send by HTTP",
	.help = "Delivers each report to a server by HTTP POST. 2xx is delivered; a failure that "
		"may pass is "
		"tried again; another 4xx is not: the values stay unsent and an event tells why.",
	.category = "sink",
	.params = sink_params,
	.ports = sink_ports,
	.actions = sink_actions,
	.metrics = sink_metrics,
	.size = sizeof(struct http_sink),
	.flags = ML_NODE_NETWORK_SINK,
	.check = sink_check,
	.prepare = sink_prepare,
	.start = sink_start,
	.process = sink_process,
	.stop = sink_stop,
};
