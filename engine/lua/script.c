/* Scripts by name: of the data directory, or shipped with the program.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/script.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/nearest.h>
#include <meterloom/sandbox.h>

enum { PATH_LENGTH_MAX = 1024, NAME_LENGTH_MAX = 64 };

static bool is_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	const size_t length = strlen(name);
	return length > 0 && length <= NAME_LENGTH_MAX && name[0] != '.' &&
	       strspn(name, letters) == length;
}

/* ---- Reading ---- */

static int read_file(const char *path, char **ret_text, size_t *ret_length, struct ml_error *err)
{
	FILE *file = fopen(path, "rbe");
	if (!file)
		return -errno;
	int result = -ENOMEM;
	char *text = malloc(ML_SANDBOX_SCRIPT_MAX + 2);
	if (!text)
		goto out;
	const size_t length = fread(text, 1, ML_SANDBOX_SCRIPT_MAX + 1, file);
	if (ferror(file)) {
		result = ml_error_set(err, -EIO, "%s: cannot be read", path);
	} else if (length > ML_SANDBOX_SCRIPT_MAX) {
		result = ml_error_set(err, -E2BIG,
			"%s: has more than %d bytes, which is the most a script may have", path,
			ML_SANDBOX_SCRIPT_MAX);
	} else {
		text[length] = '\0';
		*ret_text = text;
		*ret_length = length;
		text = NULL;
		result = 0;
	}
out:
	free(text);
	(void)fclose(file);
	return result;
}

static int copy_shipped(const struct ml_script *script, char **ret_text, size_t *ret_length)
{
	char *text = malloc(script->length + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, script->text, script->length);
	text[script->length] = '\0';
	*ret_text = text;
	*ret_length = script->length;
	return 0;
}

static int none_of_that_name(
	const char *folder, const struct ml_script *shipped, const char *name, struct ml_error *err)
{
	struct ml_nearest near;
	ml_nearest_begin(&near, name);
	for (; shipped && shipped->name; shipped++)
		ml_nearest_try(&near, shipped->name);
	const char *nearest = ml_nearest_name(&near);
	if (nearest) {
		return ml_error_set(err, -ENOENT, "there is no '%s' in %s; is '%s' meant?", name,
			folder, nearest);
	}
	return ml_error_set(err, -ENOENT,
		"there is no '%s' in %s; a script of one's own is put there as %s.lua", name,
		folder, name);
}

int ml_script_read(struct ml_engine *engine, const char *folder, const struct ml_script *shipped,
	const char *name, char **ret_text, size_t *ret_length, struct ml_error *err)
{
	*ret_text = NULL;
	*ret_length = 0;
	if (!is_name(name)) {
		return ml_error_set(err, -EINVAL,
			"'%s' is no name of a script: at most %d letters, digits, '-', '_' and '.'",
			name, NAME_LENGTH_MAX);
	}
	const char *data = ml_engine_data(engine);
	if (data) {
		char path[PATH_LENGTH_MAX];
		(void)snprintf(path, sizeof path, "%s/%s/%s.lua", data, folder, name);
		const int result = read_file(path, ret_text, ret_length, err);
		if (result == 0 || (result != -ENOENT && result != -ENOTDIR))
			return ml_error_set(err, result, "%s: %s", path, strerror(-result));
	}
	for (const struct ml_script *script = shipped; script && script->name; script++) {
		if (strcmp(script->name, name) == 0) {
			const int result = copy_shipped(script, ret_text, ret_length);
			return result ? ml_error_set(err, result, "the system is out of memory")
				      : 0;
		}
	}
	return none_of_that_name(folder, shipped, name, err);
}

/* ---- Listing ---- */

struct names {
	char (*items)[NAME_LENGTH_MAX + 1]; /* owned */
	size_t count, capacity;
};

static bool add_name(struct names *names, const char *name, size_t length)
{
	if (length > NAME_LENGTH_MAX)
		return true;
	if (names->count == names->capacity) {
		const size_t capacity = names->capacity ? 2 * names->capacity : 16;
		void *items = realloc(names->items, capacity * sizeof *names->items);
		if (!items)
			return false;
		names->items = items;
		names->capacity = capacity;
	}
	char *item = names->items[names->count++];
	memcpy(item, name, length);
	item[length] = '\0';
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool add_files(struct names *names, const char *path)
{
	DIR *directory = opendir(path);
	if (!directory)
		return true; /* no scripts of the user's own */
	bool ok = true;
	for (const struct dirent *entry; ok && (entry = readdir(directory));) {
		const size_t length = strlen(entry->d_name);
		if (length > 4 && strcmp(entry->d_name + length - 4, ".lua") == 0 &&
			entry->d_name[0] != '.')
			ok = add_name(names, entry->d_name, length - 4);
	}
	(void)closedir(directory);
	return ok;
}

int ml_script_list(struct ml_engine *engine, const char *folder, const struct ml_script *shipped,
	void (*found)(void *user, const char *name), void *user)
{
	struct names names = {.items = NULL};
	bool ok = true;
	for (; ok && shipped && shipped->name; shipped++)
		ok = add_name(&names, shipped->name, strlen(shipped->name));
	const char *data = ml_engine_data(engine);
	if (ok && data) {
		char path[PATH_LENGTH_MAX];
		(void)snprintf(path, sizeof path, "%s/%s", data, folder);
		ok = add_files(&names, path);
	}
	if (ok && names.count)
		qsort(names.items, names.count, sizeof *names.items, by_name);
	for (size_t i = 0; ok && i < names.count; i++) {
		if (i == 0 || strcmp(names.items[i - 1], names.items[i]) != 0)
			found(user, names.items[i]);
	}
	free(names.items);
	return ok ? 0 : -ENOMEM;
}

/* ---- Checking ---- */

struct chunk {
	const char *name, *text;
	size_t length;
};

static void compile(lua_State *L, void *user)
{
	const struct chunk *chunk = user;
	char name[ML_SANDBOX_NAME_MAX + 2];
	(void)snprintf(name, sizeof name, "=%s", chunk->name);
	if (luaL_loadbufferx(L, chunk->text, chunk->length, name, "t") != LUA_OK)
		(void)lua_error(L);
}

int ml_script_check(const char *name, const char *text, size_t length, struct ml_error *err)
{
	struct ml_error own = ML_ERROR_NONE;
	struct ml_sandbox *sb = ml_sandbox_new(&(struct ml_sandbox_options){.memory = 0}, err);
	if (!sb)
		return -ENOMEM;
	int result;
	if (length > ML_SANDBOX_SCRIPT_MAX) {
		result = ml_error_set(&own, -E2BIG, "%s: has %zu bytes; a script may have %d", name,
			length, ML_SANDBOX_SCRIPT_MAX);
	} else {
		struct chunk chunk = {name, text, length};
		result = ml_sandbox_run(sb, compile, &chunk, &own);
	}
	ml_sandbox_free(sb);
	if (result < 0 && err && err->code == 0) {
		*err = own;
		err->at = 0;
		const char *at = text, *end = text + length;
		for (int line = own.line; line > 1 && at; line--) {
			at = memchr(at, '\n', (size_t)(end - at));
			if (at)
				err->at = ++at - text;
		}
		err->line = 0; /* a place in the script is none in the document */
	}
	return result;
}

int ml_script_check_param(const json_t *value, struct ml_error *err)
{
	return ml_script_check("script", json_string_value(value), json_string_length(value), err);
}
