/* A server for tests that answers HTTP requests with exactly the bytes it was told, or not at all.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "peers/script_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUESTS_MAX = 64, HEAD_MAX = 16384 };

struct script_server {
	const char *const *answers;
	int listener, quit;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	struct script_request requests[REQUESTS_MAX];
	size_t count;
};

/* Waits until the socket can be read; false: the server is to stop. */
static bool readable(const struct script_server *server, int fd)
{
	struct pollfd fds[] = {
		{.fd = server->quit, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	while (poll(fds, fd < 0 ? 1 : 2, -1) < 0)
		;
	return !fds[0].revents;
}

/* Reads one request; false: the peer is gone, or the server is to stop. */
static bool read_request(const struct script_server *server, int fd, struct script_request *request)
{
	request->head = calloc(1, HEAD_MAX);
	size_t length = 0;
	char *end = NULL;
	while (!end && length < HEAD_MAX - 1) {
		if (!readable(server, fd))
			return false;
		const ssize_t n = read(fd, request->head + length, HEAD_MAX - 1 - length);
		if (n <= 0)
			return false;
		length += (size_t)n;
		end = strstr(request->head, "\r\n\r\n");
	}
	if (!end)
		return false;
	const size_t head = (size_t)(end - request->head) + 4;
	char text[32];
	end[2] = '\0';
	script_request_header(request, "Content-Length", text, sizeof text);
	request->body_length = strtoul(text, NULL, 10);
	request->body = calloc(1, request->body_length + 1);
	size_t have = length - head;
	if (have > request->body_length)
		have = request->body_length;
	memcpy(request->body, request->head + head, have);
	while (have < request->body_length) {
		if (!readable(server, fd))
			return false;
		const ssize_t n = read(fd, request->body + have, request->body_length - have);
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

/* Deals with one request; false: the connection ends. */
static bool serve(struct script_server *server, int fd, size_t *step)
{
	const char *answer = server->answers[*step];
	if (answer && strcmp(answer, SCRIPT_DEAF) == 0) {
		++*step;
		(void)readable(server, -1);
		return false;
	}
	if (answer && strcmp(answer, SCRIPT_RESET) == 0) {
		const struct linger at_once = {.l_onoff = 1};
		if (readable(server, fd))
			++*step;
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		return false;
	}
	struct script_request request = {0};
	if (!read_request(server, fd, &request)) {
		free(request.head);
		free(request.body);
		return false;
	}
	pthread_mutex_lock(&server->lock);
	assert(server->count < REQUESTS_MAX);
	server->requests[server->count++] = request;
	pthread_mutex_unlock(&server->lock);
	if (answer)
		++*step;
	else
		answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	if (strcmp(answer, SCRIPT_CLOSE) == 0)
		return false;
	if (strcmp(answer, SCRIPT_SILENT) == 0) {
		(void)readable(server, -1);
		return false;
	}
	size_t length = strlen(answer);
	while (length > 0) {
		const ssize_t n = send(fd, answer, length, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		answer += n;
		length -= (size_t)n;
	}
	return true;
}

static void *run(void *user)
{
	struct script_server *server = user;
	size_t step = 0;
	while (readable(server, server->listener)) {
		const int fd = accept(server->listener, NULL, NULL);
		if (fd < 0)
			continue;
		while (serve(server, fd, &step))
			;
		(void)close(fd);
	}
	return NULL;
}

struct script_server *script_server_start(const char *const *answers)
{
	struct script_server *server = calloc(1, sizeof *server);
	assert(server);
	server->answers = answers;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	server->quit = eventfd(0, EFD_CLOEXEC);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int r = bind(server->listener, (struct sockaddr *)&address, size);
	r = r ? r : listen(server->listener, 8);
	r = r ? r : getsockname(server->listener, (struct sockaddr *)&address, &size);
	server->port = ntohs(address.sin_port);
	(void)pthread_mutex_init(&server->lock, NULL);
	r = r ? r : pthread_create(&server->thread, NULL, run, server);
	if (r != 0) {
		perror("script server");
		abort();
	}
	return server;
}

void script_server_stop(struct script_server *server)
{
	const uint64_t one = 1;
	if (write(server->quit, &one, sizeof one) != sizeof one)
		abort();
	(void)pthread_join(server->thread, NULL);
	(void)close(server->listener);
	(void)close(server->quit);
	for (size_t i = 0; i < server->count; i++) {
		free(server->requests[i].head);
		free(server->requests[i].body);
	}
	(void)pthread_mutex_destroy(&server->lock);
	free(server);
}

uint16_t script_server_port(const struct script_server *server)
{
	return server->port;
}

size_t script_server_count(struct script_server *server)
{
	pthread_mutex_lock(&server->lock);
	const size_t count = server->count;
	pthread_mutex_unlock(&server->lock);
	return count;
}

const struct script_request *script_server_request(struct script_server *server, size_t n)
{
	return n < script_server_count(server) ? &server->requests[n] : NULL;
}

void script_request_header(
	const struct script_request *request, const char *name, char *out, size_t size)
{
	const size_t length = strlen(name);
	out[0] = '\0';
	for (const char *line = strstr(request->head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, length) != 0 || line[length] != ':')
			continue;
		const char *value = line + length + 1;
		value += strspn(value, " ");
		(void)snprintf(out, size, "%.*s", (int)strcspn(value, "\r\n"), value);
		return;
	}
}
