/* Server-sent events: feeds, as a stream that a browser opens again by itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A stream sleeps (its connection is suspended) until its feed wakes it. A client that does not
 * read holds no thread and no more than its feed's bounded queue; what it misses it is told as a
 * count.
 */
#include <stdlib.h>
#include <string.h>

#include <meterloom/feed.h>

#include "http/route.h"

enum { FEED_DEPTH = 1000, BLOCK = 4096 };

struct http_stream {
	struct ml_http *http;
	struct MHD_Connection *connection;
	struct http_stream *prev, *next;
	struct ml_feed *feed;
	struct ml_buffer out; /* not yet sent, from `sent` on */
	size_t sent;
	bool asleep, ended;
};

static const char default_topics[] = "metrics,log,graph,job,event";

/* ---- Topics ---- */

/* NODE.PORT>NODE.PORT. The edge need not be there yet. */
static bool edge_is_whole(const char *begin, const char *end)
{
	const char *middle = memchr(begin, '>', (size_t)(end - begin));
	if (!middle)
		return false;
	const char *from = memchr(begin, '.', (size_t)(middle - begin));
	const char *to = memchr(middle + 1, '.', (size_t)(end - middle - 1));
	return from && from > begin && from + 1 < middle && to && to > middle + 1 && to + 1 < end;
}

static bool topic_is_good(const char *topic, size_t length)
{
	static const char *const names[] = {"metrics", "log", "graph", "job", "event"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strlen(names[i]) == length && memcmp(names[i], topic, length) == 0)
			return true;
	}
	return length > 4 && length < sizeof((struct ml_feed_item *)0)->topic &&
	       memcmp(topic, "tap:", 4) == 0 && edge_is_whole(topic + 4, topic + length);
}

static bool check_topics(struct http_request *request, const char *topics)
{
	size_t count = 0;
	for (const char *at = topics; *at; count++) {
		const size_t length = strcspn(at, ",");
		if (!topic_is_good(at, length)) {
			http_reply_problem(request, 422,
				"there is no topic '%.*s': expected metrics, log, graph, job, "
				"event "
				"or tap:NODE.PORT>NODE.PORT",
				(int)(length < 80 ? length : 80), at);
			return false;
		}
		at += length;
		at += *at == ',';
	}
	if (count == 0 || count > 32) {
		http_reply_problem(request, 422, "%zu topics: expected 1 to 32", count);
		return false;
	}
	return true;
}

/* ---- Sending ---- */

static void append_item(struct http_stream *stream, const struct ml_feed_item *item)
{
	if (item->lost > 0)
		ml_buffer_appendf(&stream->out,
			"event: lost\ndata: {\"topic\":\"%s\",\"lost\":%llu}\n\n", item->topic,
			(unsigned long long)item->lost);
	ml_buffer_appendf(&stream->out, "event: %s\ndata: ", item->topic);
	/* JSON of one line has no line breaks; where it has, each line is a line of data. */
	const char *at = item->json, *end = item->json + item->length;
	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		const char *stop = feed ? feed : end;
		ml_buffer_append(&stream->out, at, (size_t)(stop - at));
		if (feed && feed + 1 < end)
			ml_buffer_appendf(&stream->out, "\ndata: ");
		at = feed ? feed + 1 : end;
	}
	ml_buffer_append(&stream->out, "\n\n", 2);
}

static void refill(struct http_stream *stream)
{
	struct ml_feed_item item;
	if (stream->sent < stream->out.length)
		return;
	ml_buffer_clear(&stream->out);
	stream->sent = 0;
	while (stream->out.length < BLOCK && ml_feed_take(stream->feed, &item)) {
		append_item(stream, &item);
		free(item.json);
	}
}

static ssize_t on_read(void *cls, uint64_t position, char *out, size_t most)
{
	struct http_stream *stream = cls;
	(void)position;
	refill(stream);
	if (stream->out.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t length = stream->out.length - stream->sent;
	if (length == 0 && stream->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (length == 0) {
		stream->asleep = true;
		MHD_suspend_connection(stream->connection);
		return 0;
	}
	if (length > most)
		length = most;
	memcpy(out, stream->out.data + stream->sent, length);
	stream->sent += length;
	return (ssize_t)length;
}

static void wake(struct http_stream *stream)
{
	if (!stream->asleep)
		return;
	stream->asleep = false;
	MHD_resume_connection(stream->connection);
	http_turn(stream->http);
}

static void on_feed(void *user)
{
	wake(user);
}

/* ---- Life ---- */

static void stream_free(void *cls)
{
	struct http_stream *stream = cls;
	struct ml_http *http = stream->http;
	*(stream->prev ? &stream->prev->next : &http->streams) = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	http->stream_count--;
	ml_feed_unsubscribe(stream->feed);
	ml_buffer_free(&stream->out);
	free(stream);
}

static void stream_begin(struct http_request *request, const char *topics)
{
	struct ml_http *http = request->http;
	if (http->stream_count >= http->limits.streams) {
		http_reply_header(request, "Retry-After", "10");
		http_reply_problem(request, 503,
			"%zu watch already, which is the most there may be", http->stream_count);
		return;
	}
	struct http_stream *stream = calloc(1, sizeof *stream);
	if (stream)
		stream->feed = ml_feed_subscribe(
			http->engine, topics, FEED_DEPTH, http->lane, on_feed, stream);
	if (!stream || !stream->feed) {
		free(stream);
		http_reply_problem(request, 503, "out of memory");
		return;
	}
	stream->http = http;
	stream->connection = request->connection;
	stream->next = http->streams;
	if (stream->next)
		stream->next->prev = stream;
	http->streams = stream;
	http->stream_count++;
	ml_buffer_appendf(&stream->out, "retry: 2000\n\n");
	request->stream = stream;
	request->answered = true;
	request->status = 200;
	request->type = "text/event-stream";
}

void http_stream_begin(struct http_request *request)
{
	const char *asked =
		MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "topics");
	char *topics = http_unescaped(asked ? asked : default_topics);
	if (!topics)
		http_reply_problem(request, 503, "out of memory");
	else if (check_topics(request, topics))
		stream_begin(request, topics);
	free(topics);
}

struct MHD_Response *http_stream_response(struct http_request *request)
{
	struct http_stream *stream = request->stream;
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK, on_read, stream, stream_free);
	if (!response)
		stream_free(stream);
	return response;
}

void http_streams_beat(struct ml_http *http)
{
	for (struct http_stream *stream = http->streams; stream; stream = stream->next) {
		if (!stream->asleep)
			continue;
		ml_buffer_appendf(&stream->out, ":\n\n");
		wake(stream);
	}
}

void http_streams_end(struct ml_http *http)
{
	for (struct http_stream *stream = http->streams; stream; stream = stream->next) {
		stream->ended = true;
		wake(stream);
	}
}
