/* The stable name of a serial adapter.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A USB adapter that is pulled and put back may be another /dev/ttyUSB; its name by manufacturer
 * and serial number, which udev keeps in /dev/serial/by-id, stays the same.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/source.h"

#define SCHEME "serial:"

static bool is_same_device(const char *path, const char *device)
{
	char real[PATH_MAX];
	return realpath(path, real) && strcmp(real, device) == 0;
}

bool mbus_adapter_stable(const char *folder, const char *address, char *stable, size_t size)
{
	char device[PATH_MAX];
	char path[PATH_MAX];
	bool found = false;
	if (strncmp(address, SCHEME, strlen(SCHEME)) != 0 ||
		!realpath(address + strlen(SCHEME), device))
		return false;
	DIR *dir = opendir(folder);
	if (!dir)
		return false;
	for (const struct dirent *entry; !found && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (!is_same_device(path, device))
			continue;
		const int length = snprintf(stable, size, SCHEME "%s", path);
		found = length > 0 && (size_t)length < size && strcmp(stable, address) != 0;
	}
	(void)closedir(dir);
	return found;
}
