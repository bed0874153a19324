/* Ports on a pseudo-terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

#include <meterloom/engine.h>

#include "sim/port_private.h"

/* Nobody has the terminal open: the system cannot tell when somebody does. */
#define LOOK_AGAIN (20 * ML_MSEC)

struct pty {
	struct sim_port base;
	int fd;          /* -1: it is pulled out */
	uv_poll_t *poll; /* the loop's once it is closing; NULL: none */
	struct ml_timer again;
	bool alone; /* nobody has the other end open */
	char *link; /* owned; NULL: none */
	char device[64];
};

static const struct {
	speed_t speed;
	unsigned baud;
} speeds[] = {{B300, 300}, {B600, 600}, {B1200, 1200}, {B2400, 2400}, {B4800, 4800}, {B9600, 9600},
	{B19200, 19200}, {B38400, 38400}, {B57600, 57600}, {B115200, 115200}};
enum { SPEEDS = sizeof speeds / sizeof *speeds };

static void on_poll(uv_poll_t *handle, int status, int events);

/* How the other side has set its end: a wrong rate is heard as one. */
static void look_at_rate(struct pty *pty)
{
	struct termios t;
	if (tcgetattr(pty->fd, &t) < 0)
		return;
	for (size_t i = 0; i < SPEEDS; i++) {
		/* A pseudo-terminal keeps no parity: it is taken to be right. */
		if (cfgetospeed(&t) == speeds[i].speed)
			sim_port_set_rate(
				&pty->base, (struct sim_rate){speeds[i].baud, ML_PARITY_EVEN});
	}
}

/* What the one who closed it had not read: the system keeps it for whoever comes next, where a
 * serial line would not. Only its own end can throw it away. */
static void forget_unread(const struct pty *pty)
{
	const int fd = open(pty->device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)tcflush(fd, TCIFLUSH);
	(void)close(fd);
}

/* A pseudo-terminal keeps no parity. The C library takes that for an error where a program sets
 * nothing else that is new, and the second program with the same settings would fail: so that there
 * is something new for each, a flag that means nothing on a raw line is turned after each. */
static void make_room_for_settings(const struct pty *pty)
{
	struct termios t;
	if (tcgetattr(pty->fd, &t) < 0)
		return;
	t.c_lflag ^= ECHOK;
	(void)tcsetattr(pty->fd, TCSANOW, &t);
}

static void hear(struct pty *pty)
{
	uint8_t bytes[1024];
	const ssize_t n = read(pty->fd, bytes, sizeof bytes);
	const bool was_alone = pty->alone;
	pty->alone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n > 0) {
		look_at_rate(pty);
		sim_port_received(&pty->base, bytes, (size_t)n);
	} else if (pty->alone) {
		if (!was_alone) {
			forget_unread(pty);
			make_room_for_settings(pty);
		}
		(void)uv_poll_stop(pty->poll);
		ml_timer_start(&pty->again, ml_lane_now(pty->base.lane) + LOOK_AGAIN);
	}
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	hear(handle->data);
}

static void look_again(struct ml_timer *timer)
{
	struct pty *pty = timer->user;
	(void)uv_poll_start(pty->poll, UV_READABLE, on_poll);
	hear(pty);
}

/* What nobody reads is lost, as on a real line. */
static void pty_send(struct sim_port *port, const uint8_t *bytes, size_t length)
{
	const struct pty *pty = (const struct pty *)port;
	const ssize_t n = pty->alone ? 0 : write(pty->fd, bytes, length);
	(void)n;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void take_away(struct pty *pty)
{
	char target[sizeof pty->device];
	ml_timer_stop(&pty->again);
	const ssize_t n = pty->link ? readlink(pty->link, target, sizeof target) : -1;
	if (n > 0 && (size_t)n == strlen(pty->device) &&
		memcmp(target, pty->device, (size_t)n) == 0)
		(void)unlink(pty->link);
	if (pty->poll) {
		(void)uv_poll_stop(pty->poll);
		uv_close((uv_handle_t *)pty->poll, on_closed);
	}
	if (pty->fd >= 0)
		(void)close(pty->fd);
	pty->poll = NULL;
	pty->fd = -1;
}

static void pty_close(struct sim_port *port)
{
	struct pty *pty = (struct pty *)port;
	take_away(pty);
	free(pty->link);
	free(pty);
}

static int make_link(const char *device, const char *link, struct ml_error *err)
{
	struct stat st;
	if (lstat(link, &st) == 0) {
		if (!S_ISLNK(st.st_mode))
			return ml_error_set(err, -EEXIST,
				"%s is there and is no symbolic link: choose another name", link);
		(void)unlink(link);
	}
	if (symlink(device, link) < 0)
		return ml_error_set(
			err, -errno, "the link %s cannot be made: %s", link, strerror(errno));
	return 0;
}

static int open_pair(struct pty *pty, unsigned baud, struct ml_error *err)
{
	struct termios t;
	pty->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (pty->fd < 0 || grantpt(pty->fd) < 0 || unlockpt(pty->fd) < 0 ||
		ptsname_r(pty->fd, pty->device, sizeof pty->device) != 0)
		return ml_error_set(
			err, -errno, "a pseudo-terminal cannot be made: %s", strerror(errno));
	if (tcgetattr(pty->fd, &t) == 0) {
		cfmakeraw(&t);
		/* For whoever leaves it as it is. */
		for (size_t i = 0; i < SPEEDS; i++) {
			if (speeds[i].baud == baud)
				(void)cfsetspeed(&t, speeds[i].speed);
		}
		(void)tcsetattr(pty->fd, TCSANOW, &t);
	}
	return 0;
}

static int bring(struct pty *pty, struct ml_error *err)
{
	int result = open_pair(pty, pty->base.behind.baud, err);
	if (result == 0 && pty->link)
		result = make_link(pty->device, pty->link, err);
	if (result == 0 && !(pty->poll = calloc(1, sizeof *pty->poll)))
		result = ml_error_set(err, -ENOMEM, "out of memory");
	if (result == 0) {
		result = uv_poll_init(ml_lane_loop(pty->base.lane), pty->poll, pty->fd);
		if (result < 0) {
			ml_error_set(err, result, "%s: %s", pty->device, uv_strerror(result));
			free(pty->poll);
			pty->poll = NULL;
		}
	}
	if (result < 0) {
		take_away(pty);
		return result;
	}
	pty->alone = false;
	pty->poll->data = pty;
	(void)uv_poll_start(pty->poll, UV_READABLE, on_poll);
	/* As a source takes it. */
	const char *name = pty->link ? pty->link : pty->device;
	(void)snprintf(pty->base.address, sizeof pty->base.address, "serial:%s%s",
		name[0] == '/' || strncmp(name, "./", 2) == 0 ? "" : "./", name);
	return 0;
}

static int pty_pull(struct sim_port *port, bool pulled, struct ml_error *err)
{
	struct pty *pty = (struct pty *)port;
	if (pulled == (pty->fd < 0))
		return 0;
	if (!pulled)
		return bring(pty, err);
	take_away(pty);
	return 0;
}

int sim_port_open_pty(struct ml_lane *lane, const struct sim_behind *behind, const char *link,
	struct sim_port **ret_port, struct ml_error *err)
{
	struct pty *pty = calloc(1, sizeof *pty);
	*ret_port = NULL;
	if (!pty) {
		if (behind->closed)
			behind->closed(behind->user);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	pty->fd = -1;
	pty->base = (struct sim_port){.lane = lane,
		.behind = *behind,
		.send = pty_send,
		.pull = pty_pull,
		.close = pty_close};
	ml_timer_init(&pty->again, lane, look_again, pty);
	int result = 0;
	if (link && !(pty->link = strdup(link)))
		result = ml_error_set(err, -ENOMEM, "out of memory");
	if (result == 0)
		result = bring(pty, err);
	if (result < 0) {
		sim_port_close(&pty->base);
		return result;
	}
	*ret_port = &pty->base;
	return 0;
}
