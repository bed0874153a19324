/* What subcommands share: errors, defaults of settings, output.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#include "command/settings_private.h"

void cli_write_errors(const struct ml_errors *errors, struct ml_json_writer *w)
{
	ml_json_begin_array(w);
	for (size_t i = 0; i < errors->count; i++) {
		const struct ml_error *const err = &errors->items[i];
		ml_json_begin_object(w);
		ml_json_key(w, "pointer");
		ml_json_string(w, err->pointer);
		ml_json_key(w, "line");
		ml_json_integer(w, err->line);
		ml_json_key(w, "column");
		ml_json_integer(w, err->column);
		ml_json_key(w, "text");
		ml_json_string(w, err->text);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static bool add_defaults(json_t *defaults, const struct ml_setting *settings)
{
	for (; settings && settings->param.name; settings++) {
		if (!settings->param.preset)
			continue;
		json_t *const value = json_loads(settings->param.preset, JSON_DECODE_ANY, NULL);
		if (json_object_set_new(defaults, settings->param.name, value) != 0)
			return false;
	}
	return true;
}

json_t *cli_setting_defaults(const struct ml_family *const *families)
{
	json_t *const defaults = json_object();
	bool good = defaults && add_defaults(defaults, ml_builtin_settings);
	for (; good && *families; families++)
		good = add_defaults(defaults, (*families)->settings);
	if (good)
		return defaults;
	json_decref(defaults);
	return NULL;
}

const json_t *cli_inherit(void *user, const char *setting)
{
	return json_object_get(user, setting);
}

int cli_print_buffer(struct ml_buffer *buffer, const char *tool)
{
	int code = 0;
	if (buffer->failed || !buffer->data) {
		(void)fprintf(stderr, "meterloom %s: out of memory\n", tool);
		code = 1;
	} else if (fwrite(buffer->data, 1, buffer->length, stdout) != buffer->length ||
		   fflush(stdout) != 0) {
		(void)fprintf(stderr, "meterloom %s: standard output: %s\n", tool, strerror(errno));
		code = 1;
	}
	ml_buffer_free(buffer);
	return code;
}
