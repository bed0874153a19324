/* Streams: real pseudo-terminals and sockets, and what is said when one cannot be had.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>
#include <meterloom/stream.h>

enum { PATIENCE = 20 /* s */, RECEIVED_MAX = 300000 };

/* An engine with a lane of its own for the stream, and what the stream told. */
struct rig {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct ml_lane *lane;
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct ml_stream *stream;
	unsigned opened, drained, failed;
	struct ml_error error;
	uint8_t received[RECEIVED_MAX];
	size_t length;
	/* what the lane is asked to do */
	const char *address;
	const uint8_t *bytes;
	size_t count;
	struct ml_line line;
	int result;
	bool done;
};

static void told(struct rig *rig)
{
	pthread_cond_broadcast(&rig->change);
	pthread_mutex_unlock(&rig->lock);
}

static void on_opened(void *user)
{
	struct rig *rig = user;
	pthread_mutex_lock(&rig->lock);
	rig->opened++;
	told(rig);
}

static void on_received(void *user, const uint8_t *bytes, size_t length)
{
	struct rig *rig = user;
	pthread_mutex_lock(&rig->lock);
	assert_true(rig->length + length <= RECEIVED_MAX);
	memcpy(rig->received + rig->length, bytes, length);
	rig->length += length;
	told(rig);
}

static void on_drained(void *user)
{
	struct rig *rig = user;
	pthread_mutex_lock(&rig->lock);
	rig->drained++;
	told(rig);
}

static void on_failed(void *user, const struct ml_error *err)
{
	struct rig *rig = user;
	pthread_mutex_lock(&rig->lock);
	rig->failed++;
	rig->error = *err;
	told(rig);
}

static const struct ml_stream_events events = {
	.opened = on_opened, .received = on_received, .drained = on_drained, .failed = on_failed};

static const struct ml_family *const no_families[] = {NULL};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct ml_error err = ML_ERROR_NONE;
	rig->clock = ml_clock_new_real();
	rig->log = ml_log_new(rig->clock, 0);
	const struct ml_engine_options options = {
		.families = no_families, .clock = rig->clock, .log = rig->log};
	if (ml_engine_new(&options, &rig->engine, &err) < 0)
		fail_msg("%s", err.text);
	rig->lane = ml_engine_lane(rig->engine, "line");
	assert_non_null(rig->lane);
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->change, NULL);
	rig->error = ML_ERROR_NONE;
	rig->line = (struct ml_line){2400, ML_PARITY_EVEN, 8, 1};
	*state = rig;
	return 0;
}

/* Runs a function on the lane and waits for it. */
static void on_lane(struct rig *rig, void (*fn)(void *user))
{
	rig->done = false;
	assert_int_equal(ml_lane_post(rig->lane, fn, rig), 0);
	pthread_mutex_lock(&rig->lock);
	while (!rig->done)
		pthread_cond_wait(&rig->change, &rig->lock);
	pthread_mutex_unlock(&rig->lock);
}

static void did(struct rig *rig)
{
	pthread_mutex_lock(&rig->lock);
	rig->done = true;
	told(rig);
}

static void do_open(void *user)
{
	struct rig *rig = user;
	struct ml_error err = ML_ERROR_NONE;
	rig->result = ml_stream_open(
		rig->engine, rig->lane, rig->address, &rig->line, &events, rig, &rig->stream, &err);
	if (rig->result < 0)
		rig->error = err;
	/* Nothing is told from within a call. */
	assert_int_equal(rig->opened + rig->failed, 0);
	did(rig);
}

static void do_close(void *user)
{
	struct rig *rig = user;
	ml_stream_close(rig->stream);
	rig->stream = NULL;
	did(rig);
}

static void do_write(void *user)
{
	struct rig *rig = user;
	const unsigned drained = rig->drained;
	rig->result = ml_stream_write(rig->stream, rig->bytes, rig->count);
	assert_int_equal(rig->drained, drained);
	did(rig);
}

static void do_set_line(void *user)
{
	struct rig *rig = user;
	rig->result = ml_stream_set_line(rig->stream, &rig->line);
	did(rig);
}

static void do_discard(void *user)
{
	struct rig *rig = user;
	ml_stream_discard(rig->stream);
	did(rig);
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	on_lane(rig, do_close);
	ml_engine_free(rig->engine);
	ml_log_free(rig->log);
	ml_clock_free(rig->clock);
	pthread_cond_destroy(&rig->change);
	pthread_mutex_destroy(&rig->lock);
	free(rig);
	return 0;
}

/* Waits until *counter has come to `least`. */
static void wait_until(struct rig *rig, const unsigned *counter, unsigned least)
{
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	pthread_mutex_lock(&rig->lock);
	while (*counter < least) {
		if (pthread_cond_timedwait(&rig->change, &rig->lock, &end) == ETIMEDOUT)
			fail_msg("nothing happened; error: %s", rig->error.text);
	}
	pthread_mutex_unlock(&rig->lock);
}

static void wait_for_bytes(struct rig *rig, size_t least)
{
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	pthread_mutex_lock(&rig->lock);
	while (rig->length < least) {
		if (pthread_cond_timedwait(&rig->change, &rig->lock, &end) == ETIMEDOUT)
			fail_msg("%zu of %zu bytes came", rig->length, least);
	}
	pthread_mutex_unlock(&rig->lock);
}

static void open_address(struct rig *rig, const char *address)
{
	rig->address = address;
	on_lane(rig, do_open);
	assert_int_equal(rig->result, 0);
}

/* The other end of a pseudo-terminal. */
static int make_pty(char *address, size_t size)
{
	char name[64];
	const int fd = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(grantpt(fd), 0);
	assert_int_equal(unlockpt(fd), 0);
	assert_int_equal(ptsname_r(fd, name, sizeof name), 0);
	(void)snprintf(address, size, "serial:%s", name);
	return fd;
}

static void read_exactly(int fd, uint8_t *bytes, size_t length)
{
	for (size_t have = 0; have < length;) {
		const ssize_t n = read(fd, bytes + have, length - have);
		assert_true(n > 0);
		have += (size_t)n;
	}
}

/* ---- Serial ---- */

static void serial_line_carries_all_bytes(void **state)
{
	struct rig *rig = *state;
	char address[80];
	uint8_t bytes[256];
	uint8_t back[256];
	const int fd = make_pty(address, sizeof address);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	open_address(rig, address);
	wait_until(rig, &rig->opened, 1);
	rig->bytes = bytes;
	rig->count = sizeof bytes;
	on_lane(rig, do_write);
	assert_int_equal(rig->result, 0);
	read_exactly(fd, back, sizeof back);
	assert_memory_equal(back, bytes, sizeof bytes);
	wait_until(rig, &rig->drained, 1);
	assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
	wait_for_bytes(rig, sizeof bytes);
	assert_memory_equal(rig->received, bytes, sizeof bytes);
	assert_int_equal(rig->failed, 0);
	close(fd);
}

static void serial_line_has_its_baud_rate(void **state)
{
	struct rig *rig = *state;
	char address[80];
	struct termios t;
	const int fd = make_pty(address, sizeof address);
	open_address(rig, address);
	wait_until(rig, &rig->opened, 1);
	assert_int_equal(tcgetattr(fd, &t), 0);
	assert_int_equal(cfgetospeed(&t), B2400);
	assert_false(t.c_lflag & (ICANON | ECHO | ISIG));
	assert_false(t.c_cflag & HUPCL);
	rig->line.baud = 300;
	on_lane(rig, do_set_line);
	assert_int_equal(rig->result, 0);
	assert_int_equal(tcgetattr(fd, &t), 0);
	assert_int_equal(cfgetospeed(&t), B300);
	rig->line.baud = 1234;
	on_lane(rig, do_set_line);
	assert_int_equal(rig->result, -EINVAL);
	close(fd);
}

static void baud_rate_changes_between_what_was_written(void **state)
{
	struct rig *rig = *state;
	char address[80];
	static uint8_t bytes[60000];
	static uint8_t back[sizeof bytes];
	struct termios t;
	const int fd = make_pty(address, sizeof address);
	open_address(rig, address);
	wait_until(rig, &rig->opened, 1);
	memset(bytes, 'x', sizeof bytes);
	rig->bytes = bytes;
	rig->count = sizeof bytes;
	on_lane(rig, do_write);
	rig->line.baud = 300;
	on_lane(rig, do_set_line);
	rig->bytes = (const uint8_t *)"tail";
	rig->count = 4;
	on_lane(rig, do_write);
	assert_int_equal(rig->result, 0);
	/* The terminal holds far less than was written: nobody has read it yet. */
	assert_int_equal(tcgetattr(fd, &t), 0);
	assert_int_equal(cfgetospeed(&t), B2400);
	read_exactly(fd, back, sizeof back);
	assert_memory_equal(back, bytes, sizeof bytes);
	read_exactly(fd, back, 4);
	assert_memory_equal(back, "tail", 4);
	assert_int_equal(tcgetattr(fd, &t), 0);
	assert_int_equal(cfgetospeed(&t), B300);
	wait_until(rig, &rig->drained, 1);
	close(fd);
}

static void serial_device_is_had_alone(void **state)
{
	struct rig *rig = *state;
	char address[80];
	const int fd = make_pty(address, sizeof address);
	const int other = open(address + strlen("serial:"), O_RDWR | O_NOCTTY);
	assert_true(other >= 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	open_address(rig, address);
	wait_until(rig, &rig->failed, 1);
	assert_int_equal(rig->error.code, -EBUSY);
	assert_non_null(strstr(rig->error.text, "in use by another program"));
	on_lane(rig, do_close);
	close(other);
	rig->failed = 0;
	open_address(rig, address);
	wait_until(rig, &rig->opened, 1);
	int exclusive = 0;
	const int third = open(address + strlen("serial:"), O_RDWR | O_NOCTTY);
	if (third >= 0) { /* root may */
		assert_int_equal(ioctl(third, TIOCGEXCL, &exclusive), 0);
		assert_int_equal(exclusive, 1);
		close(third);
	} else {
		assert_int_equal(errno, EBUSY);
	}
	close(fd);
}

static void unplugged_device_is_told_once(void **state)
{
	struct rig *rig = *state;
	char address[80];
	const int fd = make_pty(address, sizeof address);
	open_address(rig, address);
	wait_until(rig, &rig->opened, 1);
	close(fd);
	wait_until(rig, &rig->failed, 1);
	assert_int_equal(rig->error.code, -ENODEV);
	assert_non_null(strstr(rig->error.text, "unplugged"));
	rig->bytes = (const uint8_t *)"x";
	rig->count = 1;
	on_lane(rig, do_write);
	assert_int_equal(rig->result, -ENOTCONN);
	assert_int_equal(rig->failed, 1);
}

static void missing_device_is_named(void **state)
{
	struct rig *rig = *state;
	open_address(rig, "serial:/dev/serial/by-id/usb-none-such");
	wait_until(rig, &rig->failed, 1);
	assert_int_equal(rig->error.code, -ENOENT);
	assert_non_null(strstr(rig->error.text, "usb-none-such is not there"));
	on_lane(rig, do_close);
	rig->failed = 0;
	open_address(rig, "serial:/dev/null");
	wait_until(rig, &rig->failed, 1);
	assert_non_null(strstr(rig->error.text, "/dev/null is no serial device"));
}

static void forbidden_device_names_the_group(void **state)
{
	struct rig *rig = *state;
	char address[80];
	const int fd = make_pty(address, sizeof address);
	if (geteuid() == 0) {
		close(fd);
		skip(); /* root may open anything */
	}
	assert_int_equal(fchmod(fd, 0), 0);
	open_address(rig, address);
	wait_until(rig, &rig->failed, 1);
	assert_int_equal(rig->error.code, -EACCES);
	assert_non_null(strstr(rig->error.text, "add the user to the group"));
	close(fd);
}

static void discarded_bytes_do_not_come(void **state)
{
	struct rig *rig = *state;
	char address[80];
	const int fd = make_pty(address, sizeof address);
	open_address(rig, address);
	wait_until(rig, &rig->opened, 1);
	on_lane(rig, do_discard);
	assert_int_equal(write(fd, "later", 5), 5);
	wait_for_bytes(rig, 5);
	assert_memory_equal(rig->received, "later", 5);
	close(fd);
}

/* ---- TCP ---- */

static int listen_here(char *address, size_t size)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof at;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	(void)snprintf(address, size, "tcp:127.0.0.1:%u", ntohs(at.sin_port));
	return fd;
}

static void tcp_connection_carries_all_bytes(void **state)
{
	struct rig *rig = *state;
	char address[80];
	static uint8_t bytes[64 * 1024];
	static uint8_t back[sizeof bytes];
	const int listener = listen_here(address, sizeof address);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	open_address(rig, address);
	const int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	wait_until(rig, &rig->opened, 1);
	rig->bytes = bytes;
	rig->count = sizeof bytes;
	on_lane(rig, do_write);
	assert_int_equal(rig->result, 0);
	read_exactly(fd, back, sizeof back);
	assert_memory_equal(back, bytes, sizeof bytes);
	wait_until(rig, &rig->drained, 1);
	for (size_t sent = 0; sent < sizeof bytes;) {
		const ssize_t n = write(fd, bytes + sent, sizeof bytes - sent);
		assert_true(n > 0);
		sent += (size_t)n;
	}
	wait_for_bytes(rig, sizeof bytes);
	assert_memory_equal(rig->received, bytes, sizeof bytes);
	on_lane(rig, do_set_line);
	assert_int_equal(rig->result, -ENOTSUP);
	close(fd);
	wait_until(rig, &rig->failed, 1);
	assert_int_equal(rig->error.code, -EPIPE);
	close(listener);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct rig *rig = *state;
	char address[80];
	static uint8_t bytes[64 * 1024];
	const int listener = listen_here(address, sizeof address);
	open_address(rig, address);
	const int fd = accept(listener, NULL, NULL);
	wait_until(rig, &rig->opened, 1);
	rig->bytes = bytes;
	rig->count = sizeof bytes;
	/* Nobody reads: the system's buffers fill up, then ours. */
	for (int i = 0; i < 1000 && rig->result == 0; i++)
		on_lane(rig, do_write);
	assert_int_equal(rig->result, -ENOBUFS);
	close(fd);
	close(listener);
}

static void refused_connection_is_told(void **state)
{
	struct rig *rig = *state;
	char address[80];
	close(listen_here(address, sizeof address));
	open_address(rig, address);
	wait_until(rig, &rig->failed, 1);
	assert_int_equal(rig->error.code, -ECONNREFUSED);
	assert_non_null(strstr(rig->error.text, address));
	on_lane(rig, do_close);
	rig->failed = 0;
	open_address(rig, "tcp:name.invalid:1");
	wait_until(rig, &rig->failed, 1);
	assert_non_null(strstr(rig->error.text, "name.invalid:1 cannot be reached"));
}

static void stream_may_be_closed_at_once(void **state)
{
	struct rig *rig = *state;
	char address[80];
	const int listener = listen_here(address, sizeof address);
	for (int i = 0; i < 20; i++) {
		open_address(rig, i % 2 ? address : "tcp:localhost:9");
		on_lane(rig, do_close);
		rig->opened = rig->failed = 0;
	}
	close(listener);
}

/* ---- Addresses ---- */

static void addresses_are_checked(void **state)
{
	(void)state;
	static const char *const good[] = {"serial:/dev/ttyUSB0", "serial:./data/bus",
		"tcp:192.0.2.7:10001", "tcp:[2001:db8::7]:1", "tcp:converter.example:65535"};
	static const char *const bad[] = {"serial:", "serial:ttyUSB0", "tcp:", "tcp:host",
		"tcp:host:0", "tcp:host:65536", "tcp::1", "tcp:2001:db8::7:1", "tcp:[::1]1",
		"tcp:[::1]", "tcp:host:12x", "tcp:host:+1", "/dev/ttyUSB0", "", ":"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(ml_stream_check(NULL, good[i], NULL), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(ml_stream_check(NULL, bad[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "expected"));
	}
}

static void unknown_kind_lists_the_known(void **state)
{
	struct rig *rig = *state;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_stream_check(ml_engine_families(rig->engine), "usb:1", &err), -EINVAL);
	assert_non_null(strstr(err.text, "serial:/dev/DEVICE, tcp:HOST:PORT"));
}

static void simulated_engine_has_no_outside(void **state)
{
	(void)state;
	struct ml_clock *clock = ml_clock_new_simulated(0);
	struct ml_log *log = ml_log_new(clock, 0);
	struct ml_engine *engine = NULL;
	const struct ml_engine_options options = {
		.families = no_families, .clock = clock, .log = log};
	const struct ml_line line = {2400, ML_PARITY_EVEN, 8, 1};
	static const char *const addresses[] = {"serial:/dev/ttyUSB0", "tcp:localhost:1"};
	assert_int_equal(ml_engine_new(&options, &engine, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		struct ml_stream *stream = NULL;
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(ml_stream_open(engine, ml_engine_lane(engine, "control"),
					 addresses[i], &line, &events, NULL, &stream, &err),
			-ENOTSUP);
		assert_null(stream);
		assert_non_null(strstr(err.text, "a simulated gateway has no"));
	}
	ml_engine_free(engine);
	ml_log_free(log);
	ml_clock_free(clock);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(serial_line_carries_all_bytes),
		WITH_RIG(serial_line_has_its_baud_rate),
		WITH_RIG(baud_rate_changes_between_what_was_written),
		WITH_RIG(serial_device_is_had_alone),
		WITH_RIG(unplugged_device_is_told_once),
		WITH_RIG(missing_device_is_named),
		WITH_RIG(forbidden_device_names_the_group),
		WITH_RIG(discarded_bytes_do_not_come),
		WITH_RIG(tcp_connection_carries_all_bytes),
		WITH_RIG(what_does_not_fit_is_refused),
		WITH_RIG(refused_connection_is_told),
		WITH_RIG(stream_may_be_closed_at_once),
		cmocka_unit_test(addresses_are_checked),
		WITH_RIG(unknown_kind_lists_the_known),
		cmocka_unit_test(simulated_engine_has_no_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
