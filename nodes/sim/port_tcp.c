/* Ports on TCP, as of a converter in the network.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <meterloom/engine.h>

#include "sim/port_private.h"

enum { BACKLOG = 4, BUFFER = 1024 };

struct client {
	uv_tcp_t handle;
	struct tcp_port *port; /* NULL: replaced or closed */
	char buffer[BUFFER];
};

struct tcp_port {
	struct sim_port base;
	uv_tcp_t *listener;    /* the loop's once it is closing; NULL: it is pulled out */
	struct client *client; /* the newest; NULL: none */
	char *host;            /* owned */
	uint16_t number;       /* 0: not yet known */
};

static void client_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void drop_client(struct client *client)
{
	if (!client || uv_is_closing((uv_handle_t *)&client->handle))
		return;
	if (client->port && client->port->client == client)
		client->port->client = NULL;
	client->port = NULL;
	uv_close((uv_handle_t *)&client->handle, client_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct client *client = handle->data;
	(void)suggested;
	*buffer = uv_buf_init(client->buffer, sizeof client->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct client *client = stream->data;
	if (length < 0)
		drop_client(client);
	else if (length > 0 && client->port)
		sim_port_received(
			&client->port->base, (const uint8_t *)buffer->base, (size_t)length);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct tcp_port *port = listener->data;
	struct client *client = status == 0 ? calloc(1, sizeof *client) : NULL;
	if (!client)
		return;
	(void)uv_tcp_init(listener->loop, &client->handle);
	client->handle.data = client;
	if (uv_accept(listener, (uv_stream_t *)&client->handle) < 0 ||
		uv_read_start((uv_stream_t *)&client->handle, on_alloc, on_read) < 0) {
		drop_client(client);
		return;
	}
	(void)uv_tcp_nodelay(&client->handle, 1);
	drop_client(port->client);
	client->port = port;
	port->client = client;
}

static void tcp_send(struct sim_port *base, const uint8_t *bytes, size_t length)
{
	struct client *client = ((struct tcp_port *)base)->client;
	if (!client)
		return;
	const uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);
	const int n = uv_try_write((uv_stream_t *)&client->handle, &buffer, 1);
	if (n < 0 && n != UV_EAGAIN)
		drop_client(client);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void take_away(struct tcp_port *port)
{
	drop_client(port->client);
	if (port->listener)
		uv_close((uv_handle_t *)port->listener, on_closed);
	port->listener = NULL;
}

static void tcp_close(struct sim_port *base)
{
	struct tcp_port *port = (struct tcp_port *)base;
	take_away(port);
	free(port->host);
	free(port);
}

static int bind_and_listen(struct tcp_port *port)
{
	const char *address = port->host;
	const uint16_t number = port->number;
	struct sockaddr_storage at = {0};
	struct sockaddr_storage got = {0};
	int size = sizeof got;
	int result = strchr(address, ':') ? uv_ip6_addr(address, number, (struct sockaddr_in6 *)&at)
					  : uv_ip4_addr(address, number, (struct sockaddr_in *)&at);
	if (result == 0)
		result = uv_tcp_bind(port->listener, (struct sockaddr *)&at, 0);
	if (result == 0)
		result = uv_listen((uv_stream_t *)port->listener, BACKLOG, on_connection);
	if (result == 0)
		result = uv_tcp_getsockname(port->listener, (struct sockaddr *)&got, &size);
	if (result < 0)
		return result;
	const unsigned real =
		ntohs(got.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&got)->sin6_port
						: ((struct sockaddr_in *)&got)->sin_port);
	port->number = (uint16_t)real;
	const bool v6 = got.ss_family == AF_INET6;
	(void)snprintf(port->base.address, sizeof port->base.address, "tcp:%s%s%s:%u",
		v6 ? "[" : "", address, v6 ? "]" : "", real);
	return 0;
}

static int bring(struct tcp_port *port, struct ml_error *err)
{
	port->listener = calloc(1, sizeof *port->listener);
	if (!port->listener)
		return ml_error_set(err, -ENOMEM, "out of memory");
	(void)uv_tcp_init(ml_lane_loop(port->base.lane), port->listener);
	port->listener->data = port;
	const int result = bind_and_listen(port);
	if (result < 0) {
		ml_error_set(err, result, "%s:%u cannot be listened on: %s", port->host,
			port->number, uv_strerror(result));
		take_away(port);
	}
	return result;
}

static int tcp_pull(struct sim_port *base, bool pulled, struct ml_error *err)
{
	struct tcp_port *port = (struct tcp_port *)base;
	if (pulled == (port->listener == NULL))
		return 0;
	if (!pulled)
		return bring(port, err);
	take_away(port);
	return 0;
}

int sim_port_open_tcp(struct ml_lane *lane, const struct sim_behind *behind, const char *address,
	uint16_t number, struct sim_port **ret_port, struct ml_error *err)
{
	struct tcp_port *port = calloc(1, sizeof *port);
	char *host = strdup(address);
	*ret_port = NULL;
	if (!port || !host) {
		free(port);
		free(host);
		if (behind->closed)
			behind->closed(behind->user);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	port->base = (struct sim_port){.lane = lane,
		.behind = *behind,
		.send = tcp_send,
		.pull = tcp_pull,
		.close = tcp_close};
	port->host = host;
	port->number = number;
	const int result = bring(port, err);
	if (result < 0) {
		sim_port_close(&port->base);
		return result;
	}
	*ret_port = &port->base;
	return 0;
}
