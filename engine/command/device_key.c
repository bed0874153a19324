/* The device key: a file outside the data directory that nobody else may read.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/device_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <meterloom/setting.h>

enum { DIGITS = ML_KEY_BYTES * 2 };

static int join(char path[PATH_MAX], const char *folder, const char *rest, struct ml_error *err)
{
	if (snprintf(path, PATH_MAX, "%s%s", folder, rest) < PATH_MAX)
		return 0;
	return ml_error_set(err, -ENAMETOOLONG, "the path of the device key is too long");
}

int ml_device_key_path(const char *given, char path[PATH_MAX], struct ml_error *err)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	if (given)
		return join(path, given, "", err);
	if (folder && *folder) {
		const int r = join(path, folder, "/meterloom-device-key", err);
		if (r < 0 || access(path, F_OK) == 0)
			return r;
	}
	if (geteuid() == 0)
		return join(path, "/var/lib/meterloom.key", "", err);
	folder = getenv("XDG_STATE_HOME");
	if (folder && *folder)
		return join(path, folder, "/meterloom/device.key", err);
	folder = getenv("HOME");
	if (folder && *folder)
		return join(path, folder, "/.local/state/meterloom/device.key", err);
	return ml_error_set(err, -ENOENT,
		"there is no place for the device key: set HOME or XDG_STATE_HOME, or name a file "
		"with "
		"--device-key");
}

/* A key beside the data would go wherever a copy of the data goes. */
static int check_outside(const char *path, const char *data, struct ml_error *err)
{
	char folder[PATH_MAX], real_data[PATH_MAX], real_folder[PATH_MAX];
	if (!data || !realpath(data, real_data))
		return 0;
	(void)snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash)
		*(slash == folder ? slash + 1 : slash) = '\0';
	if (!realpath(slash ? folder : ".", real_folder))
		return 0;
	const size_t length = strlen(real_data);
	if (strncmp(real_folder, real_data, length) != 0 ||
		(real_folder[length] != '/' && real_folder[length] != '\0'))
		return 0;
	return ml_error_set(err, -EINVAL,
		"the device key %s lies in the data directory, which it protects: choose a place "
		"outside",
		path);
}

static int check_access(int fd, const char *path, struct ml_error *err)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return ml_error_set(err, -errno, "the device key %s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return ml_error_set(err, -EINVAL, "the device key %s is not a file", path);
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return ml_error_set(err, -EPERM,
			"the device key %s belongs to another user (%u): expected our own or root",
			path, (unsigned)status.st_uid);
	/* systemd hands its credentials over as 0440 with an access list. */
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	const bool handed =
		credentials && *credentials && strncmp(path, credentials, strlen(credentials)) == 0;
	if (status.st_mode & (handed ? 0007u : 0077u))
		return ml_error_set(err, -EPERM,
			"the device key %s may be read by others (mode %04o): it is not used "
			"before you say "
			"`chmod 600 %s`",
			path, (unsigned)status.st_mode & 07777u, path);
	return 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int read_digits(int fd, const char *path, uint8_t key[ML_KEY_BYTES], struct ml_error *err)
{
	char text[DIGITS + 2];
	int r = 0;
	const ssize_t got = read(fd, text, sizeof text);
	bool good = got == DIGITS || (got == DIGITS + 1 && text[DIGITS] == '\n');
	for (size_t i = 0; good && i < ML_KEY_BYTES; i++) {
		const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
		good = high >= 0 && low >= 0;
		if (good)
			key[i] = (uint8_t)(high << 4 | low);
	}
	if (!good) {
		ml_wipe(key, ML_KEY_BYTES);
		r = ml_error_set(err, -EINVAL,
			"%s does not hold a device key: expected %d hexadecimal digits", path,
			DIGITS);
	}
	ml_wipe(text, sizeof text);
	return r;
}

int ml_device_key_load(
	const char *path, const char *data, uint8_t key[ML_KEY_BYTES], struct ml_error *err)
{
	int r = check_outside(path, data, err);
	if (r < 0)
		return r;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return ml_error_set(err, -errno, "the device key %s: %s", path, strerror(errno));
	r = check_access(fd, path, err);
	if (r == 0)
		r = read_digits(fd, path, key, err);
	(void)close(fd);
	return r;
}

static int make_folders(const char *path, struct ml_error *err)
{
	char folder[PATH_MAX];
	(void)snprintf(folder, sizeof folder, "%s", path);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0700) < 0 && errno != EEXIST)
			return ml_error_set(err, -errno, "the folder %s of the device key: %s",
				folder, strerror(errno));
		*slash = '/';
	}
	return 0;
}

static int write_digits(int fd, const uint8_t key[ML_KEY_BYTES])
{
	char text[DIGITS + 2];
	for (size_t i = 0; i < ML_KEY_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", key[i]);
	text[DIGITS] = '\n';
	const bool good = write(fd, text, DIGITS + 1) == DIGITS + 1 && fsync(fd) == 0;
	const int code = errno ? -errno : -EIO;
	ml_wipe(text, sizeof text);
	return good ? 0 : code;
}

/* The file appears whole or not at all. */
static int make_file(const char *path, const uint8_t key[ML_KEY_BYTES], struct ml_error *err)
{
	char temporary[PATH_MAX + 8];
	(void)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
	const int fd = mkstemp(temporary); /* 0600 */
	if (fd < 0)
		return ml_error_set(
			err, -errno, "the device key %s cannot be made: %s", path, strerror(errno));
	errno = 0;
	int r = write_digits(fd, key);
	if (r == 0 && link(temporary, path) < 0)
		r = -errno;
	(void)close(fd);
	(void)unlink(temporary);
	if (r < 0 && r != -EEXIST)
		(void)ml_error_set(
			err, r, "the device key %s cannot be made: %s", path, strerror(-r));
	return r;
}

static void sync_folder(const char *path)
{
	char folder[PATH_MAX];
	(void)snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	const int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	(void)close(fd);
}

int ml_device_key_make(
	const char *path, const char *data, uint8_t key[ML_KEY_BYTES], struct ml_error *err)
{
	int r = make_folders(path, err);
	if (r == 0)
		r = check_outside(path, data, err);
	if (r == 0)
		r = ml_random(key, ML_KEY_BYTES, err);
	if (r < 0)
		return r;
	r = make_file(path, key, err);
	if (r == -EEXIST)
		return ml_device_key_load(path, data, key, err);
	if (r == 0)
		sync_folder(path);
	else
		ml_wipe(key, ML_KEY_BYTES);
	return r;
}
