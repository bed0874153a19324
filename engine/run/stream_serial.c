/* Serial lines: any tty, alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <meterloom/engine.h>

#include "run/parmrk.h"
#include "run/stream_fd.h"
#include "run/stream_schemes.h"

struct serial {
	struct stream_fd base;
	struct ml_line line;
	struct ml_line next; /* to be set once all has left */
	bool change;
	struct parmrk marks;
};

enum {
	PTY_MAJOR = 136, /* and the seven after it */
	PTY_MAJORS = 8,
	FORMAT = CSIZE | CSTOPB | PARENB | PARODD,
};

static const struct {
	unsigned baud;
	speed_t speed;
} speeds[] = {
	{300, B300},
	{600, B600},
	{1200, B1200},
	{2400, B2400},
	{4800, B4800},
	{9600, B9600},
	{19200, B19200},
	{38400, B38400},
	{57600, B57600},
	{115200, B115200},
};

static bool find_speed(unsigned baud, speed_t *speed)
{
	for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
		if (speeds[i].baud == baud) {
			*speed = speeds[i].speed;
			return true;
		}
	}
	return false;
}

static int check_line(const struct ml_line *line, struct ml_error *err)
{
	speed_t speed = B0;
	if (!find_speed(line->baud, &speed))
		return ml_error_set(err, -EINVAL,
			"%u baud: expected 300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600 "
			"or "
			"115200",
			line->baud);
	if ((line->data_bits != 7 && line->data_bits != 8) ||
		(line->stop_bits != 1 && line->stop_bits != 2))
		return ml_error_set(err, -EINVAL,
			"%u data bits and %u stop bits: expected 7 or 8, and 1 or 2",
			line->data_bits, line->stop_bits);
	return 0;
}

/* Pseudo-terminals carry bytes, not bits: they ignore parity and size. */
static bool is_pseudo_terminal(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && major(st.st_rdev) >= PTY_MAJOR &&
	       major(st.st_rdev) < PTY_MAJOR + PTY_MAJORS;
}

static int apply_line(int fd, const struct ml_line *line, const char *name, struct ml_error *err)
{
	struct termios t;
	speed_t speed = B0;
	if (!find_speed(line->baud, &speed) || tcgetattr(fd, &t) < 0)
		return ml_error_set(err, -EIO, "%s: its settings cannot be read", name);
	cfmakeraw(&t);
	t.c_iflag &= (tcflag_t) ~(IXON | IXOFF | IXANY | IGNPAR | IGNBRK | BRKINT);
	/* A byte with a parity or framing error is told as one, so that a collision does not look
	 * like an answer; so is a break. */
	t.c_iflag |= PARMRK | (line->parity == ML_PARITY_NONE ? 0 : INPCK);
	/* HUPCL off: many level converters draw their power from DTR, and a bus that loses power
	 * when a node restarts resets its meters. */
	t.c_cflag &= (tcflag_t) ~(HUPCL | CSTOPB | CSIZE | PARENB | PARODD | CRTSCTS);
	t.c_cflag |= CLOCAL | CREAD | (line->data_bits == 7 ? CS7 : CS8);
	if (line->stop_bits == 2)
		t.c_cflag |= CSTOPB;
	if (line->parity != ML_PARITY_NONE)
		t.c_cflag |= PARENB;
	if (line->parity == ML_PARITY_ODD)
		t.c_cflag |= PARODD;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	(void)cfsetispeed(&t, speed);
	(void)cfsetospeed(&t, speed);
	/* EINVAL may mean that only a part was taken: what counts is what holds then. */
	if (tcsetattr(fd, TCSANOW, &t) < 0 && errno != EINVAL)
		return ml_error_set(err, -errno, "%s: %s", name, strerror(errno));
	struct termios now;
	if (tcgetattr(fd, &now) < 0 || cfgetospeed(&now) != speed)
		return ml_error_set(
			err, -EINVAL, "%s: the device does not take %u baud", name, line->baud);
	if ((now.c_cflag & FORMAT) != (t.c_cflag & FORMAT) && !is_pseudo_terminal(fd))
		return ml_error_set(err, -EINVAL,
			"%s: the device does not take %u data bits, %u stop bits and its parity",
			name, line->data_bits, line->stop_bits);
	return 0;
}

static ml_time byte_time(const struct ml_line *line)
{
	const unsigned bits =
		1 + line->data_bits + (line->parity != ML_PARITY_NONE ? 1 : 0) + line->stop_bits;
	return (ml_time)bits * ML_SEC / line->baud;
}

static ml_time serial_remaining(struct stream_fd *s)
{
	const struct serial *serial = (const struct serial *)s;
	int queued = 0;
	if (ioctl(s->fd, TIOCOUTQ, &queued) == 0 && queued > 0)
		return queued * byte_time(&serial->line);
	unsigned status = 0;
	if (ioctl(s->fd, TIOCSERGETLSR, &status) == 0 && !(status & TIOCSER_TEMT))
		return byte_time(&serial->line);
	return 0;
}

static void serial_idle(struct stream_fd *s)
{
	struct serial *serial = (struct serial *)s;
	if (!serial->change)
		return;
	struct ml_error err = ML_ERROR_NONE;
	serial->change = false;
	if (apply_line(s->fd, &serial->next, s->name, &err) < 0)
		stream_fd_error(s, &err);
	else
		serial->line = serial->next;
}

static void serial_flush(struct stream_fd *s)
{
	(void)tcflush(s->fd, TCIOFLUSH);
}

static void serial_receive(struct stream_fd *s, uint8_t *bytes, size_t length)
{
	struct serial *serial = (struct serial *)s;
	const struct ml_stream_events *events = s->head.events;
	while (length > 0 && s->opened && !s->closed) {
		size_t run = 0;
		bool damaged = false;
		const size_t used = parmrk_run(&serial->marks, bytes, length, &run, &damaged);
		if (run > 0 && damaged && events->damaged) {
			events->damaged(s->head.user, bytes, run);
		} else if (run > 0) {
			if (damaged)
				memset(bytes, 0, run);
			events->received(s->head.user, bytes, run);
		}
		bytes += used;
		length -= used;
	}
}

static int serial_signals(struct ml_stream *stream, unsigned *set)
{
	static const struct {
		int device;
		unsigned signal;
	} signals[] = {{TIOCM_CTS, ML_SIGNAL_CTS}, {TIOCM_DSR, ML_SIGNAL_DSR},
		{TIOCM_CD, ML_SIGNAL_DCD}, {TIOCM_RI, ML_SIGNAL_RI}};
	const struct stream_fd *s = (const struct stream_fd *)stream;
	int lines = 0;
	if (!s->opened || ioctl(s->fd, TIOCMGET, &lines) < 0)
		return -ENOTSUP;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		*set |= lines & signals[i].device ? signals[i].signal : 0;
	return 0;
}

static void serial_leave(struct stream_fd *s)
{
	(void)ioctl(s->fd, TIOCNXCL);
}

static int serial_set_line(struct ml_stream *stream, const struct ml_line *line)
{
	struct serial *serial = (struct serial *)stream;
	struct ml_error err = ML_ERROR_NONE;
	const int result = check_line(line, &err);
	if (result < 0)
		return result;
	if (!serial->base.opened)
		return -ENOTCONN;
	serial->next = *line;
	serial->change = true;
	if (stream_fd_busy(&serial->base))
		stream_fd_hold(&serial->base);
	else
		serial_idle(&serial->base);
	return serial->base.error.code;
}

static const struct ml_stream_ops serial_ops = {
	.write = stream_fd_write,
	.set_line = serial_set_line,
	.discard = stream_fd_discard,
	.close = stream_fd_close,
	.signals = serial_signals,
};

/* The group that may use a device, for the advice. */
static void name_group(const char *path, char *name, size_t size)
{
	struct stat st;
	struct group group;
	struct group *found = NULL;
	char buffer[1024];
	(void)snprintf(name, size, "dialout");
	if (stat(path, &st) == 0 &&
		getgrgid_r(st.st_gid, &group, buffer, sizeof buffer, &found) == 0 && found)
		(void)snprintf(name, size, "%s", found->gr_name);
}

static int explain_open(const char *path, int code, struct ml_error *err)
{
	char group[64];
	switch (code) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return ml_error_set(err, -ENOENT,
			"the serial device %s is not there: plug the adapter in, or choose one of "
			"those in /dev/serial/by-id",
			path);
	case EACCES:
	case EPERM:
		name_group(path, group, sizeof group);
		return ml_error_set(err, -EACCES,
			"the serial device %s may not be used by this user: add the user to the "
			"group '%s' and log in again",
			path, group);
	case EBUSY:
	case EWOULDBLOCK:
		return ml_error_set(err, -EBUSY,
			"the serial device %s is in use by another program: stop that one", path);
	case ENOTTY:
		return ml_error_set(err, -ENOTTY, "%s is no serial device", path);
	default:
		return ml_error_set(err, -code, "the serial device %s cannot be opened: %s", path,
			strerror(code));
	}
}

static int open_device(
	const char *path, const struct ml_line *line, int *ret_fd, struct ml_error *err)
{
	const int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return explain_open(path, errno, err);
	int result = 0;
	if (!isatty(fd))
		result = explain_open(path, ENOTTY, err);
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		result = explain_open(path, errno, err);
	else if (ioctl(fd, TIOCEXCL) < 0)
		result = explain_open(path, errno, err);
	else
		result = apply_line(fd, line, path, err);
	if (result < 0) {
		(void)close(fd);
		return result;
	}
	(void)tcflush(fd, TCIOFLUSH);
	*ret_fd = fd;
	return 0;
}

static int serial_check(const char *rest, struct ml_error *err)
{
	const bool path = rest[0] == '/' || strncmp(rest, "./", 2) == 0;
	if (!path || strlen(rest) >= STREAM_NAME_MAX - 1)
		return ml_error_set(err, -EINVAL,
			"serial:%.60s: expected the path of a device, as in serial:/dev/ttyUSB0, "
			"or one "
			"below the folder the gateway was started in, as in serial:./data/bus",
			rest);
	return 0;
}

static int serial_open(struct ml_engine *engine, struct ml_lane *lane, const char *rest,
	const struct ml_line *line, const struct ml_stream_events *events, void *user,
	struct ml_stream **ret_stream, struct ml_error *err)
{
	(void)engine;
	if (!ml_lane_loop(lane))
		return ml_error_set(err, -ENOTSUP,
			"serial:%s: a simulated gateway has no serial lines, only those inside it",
			rest);
	const int result = check_line(line, err);
	if (result < 0)
		return result;
	struct serial *serial = calloc(1, sizeof *serial);
	if (!serial)
		return ml_error_set(err, -ENOMEM, "out of memory");
	struct stream_fd *s = &serial->base;
	stream_fd_init(s, lane, rest, events, user);
	s->head.ops = &serial_ops;
	s->remaining = serial_remaining;
	s->idle = serial_idle;
	s->flush = serial_flush;
	s->receive = serial_receive;
	s->leave = serial_leave;
	s->device = true;
	serial->line = *line;
	struct ml_error why = ML_ERROR_NONE;
	if (open_device(rest, line, &s->fd, &why) < 0)
		stream_fd_error(s, &why);
	else if (stream_fd_watch(s, UV_READABLE) < 0)
		stream_fd_fail(s, -EIO, "%s cannot be waited for", rest);
	else
		stream_fd_opened(s);
	*ret_stream = &s->head;
	return 0;
}

const struct ml_stream_scheme ml_stream_serial = {
	.name = "serial",
	.help = "/dev/DEVICE",
	.check = serial_check,
	.open = serial_open,
};
