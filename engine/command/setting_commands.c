/* Commands on settings and secrets: setting.*, secret.*.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No answer, log line or feed ever holds a secret's value.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "command/builtin.h"
#include "command/log_keeper.h"
#include "command/registry.h"
#include "command/settings_private.h"
#include "run/change.h"

struct name_params {
	char *name;
};

struct value_params {
	char *name;
	json_t *value;
};

struct secret_params {
	char *name;
	char *value;
};

#define SETTING_NAME(type) \
	{ \
		.name = "name", .kind = ML_PARAM_STRING, .offset = offsetof(struct type, name), \
		.title = "Setting", .help = "The name of the setting, such as gateway.name.", \
		.min = 1, .max = 128, .flags = ML_PARAM_REQUIRED \
	}

#define SECRET_NAME(type) \
	{ \
		.name = "name", .kind = ML_PARAM_STRING, .offset = offsetof(struct type, name), \
		.title = "Secret", \
		.help = "The name by which a graph refers to the secret: {\"secret\": \"NAME\"}.", \
		.min = 1, .max = ML_SECRET_NAME_MAX, .flags = ML_PARAM_REQUIRED \
	}

static const struct ml_param setting_name[] = {SETTING_NAME(name_params), {0}};

static const struct ml_param setting_value[] = {
	SETTING_NAME(value_params),
	{.name = "value",
		.kind = ML_PARAM_JSON,
		.offset = offsetof(struct value_params, value),
		.title = "Value",
		.help = "The new value; null for the default.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};

static const struct ml_param secret_name[] = {SECRET_NAME(name_params), {0}};

static const struct ml_param secret_value[] = {
	SECRET_NAME(secret_params),
	{.name = "value",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct secret_params, value),
		.title = "Value",
		.help = "The text to keep. It is encrypted at once and never told again.",
		.min = 1,
		.max = ML_SECRET_VALUE_MAX,
		.flags = ML_PARAM_REQUIRED},
	{0},
};

static struct ml_settings *settings_of(const struct ml_job *job)
{
	return ml_engine_settings(ml_job_engine(job));
}

static void finish(struct ml_job *job, int r, const struct ml_error *err)
{
	if (r < 0)
		ml_job_fail(job, err);
	else
		ml_job_succeed(job);
}

/* Who changed what; never the value. */
static void log_change(struct ml_job *job, const char *what, const char *name, const char *how)
{
	const char *user = ml_job_user(job);
	ml_log(ml_engine_log(ml_job_engine(job)), ML_LOG_INFO, "settings", "%s '%s' was %s%s%s",
		what, name, how, *user ? " by " : "", user);
}

static void setting_list_run(struct ml_job *job, void *params)
{
	(void)params;
	struct ml_error err = ML_ERROR_NONE;
	finish(job, ml_settings_write(settings_of(job), NULL, ml_job_result(job), &err), &err);
}

static void setting_get_run(struct ml_job *job, void *params)
{
	const struct name_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	finish(job, ml_settings_write(settings_of(job), p->name, ml_job_result(job), &err), &err);
}

/* The setting holds for the nodes that inherit it, or it is not changed. */
static int change_setting(
	struct ml_job *job, const struct value_params *p, struct ml_errors *errors)
{
	struct ml_settings *settings = settings_of(job);
	struct ml_errors refused = {0};
	json_t *before = ml_settings_value(settings, p->name);
	int r = ml_settings_set(settings, p->name, p->value, errors);
	if (r == 0) {
		r = ml_engine_refresh(ml_job_engine(job), &refused);
		if (r < 0)
			(void)ml_settings_set(settings, p->name, before, errors);
	}
	for (size_t i = 0; i < refused.count; i++)
		ml_errors_addf(errors, refused.items[i].code, "/value",
			"the graph that runs does not go with it: %s: %s", refused.items[i].pointer,
			refused.items[i].text);
	ml_errors_free(&refused);
	json_decref(before);
	return r;
}

static void setting_set_run(struct ml_job *job, void *params)
{
	const struct value_params *p = params;
	struct ml_errors errors = {0};
	struct ml_error err = ML_ERROR_NONE;
	if (change_setting(job, p, &errors) < 0) {
		ml_job_fail_all(job, &errors);
		ml_errors_free(&errors);
		return;
	}
	log_change(job, "setting", p->name, "changed");
	if (strncmp(p->name, "log.", 4) == 0)
		ml_log_keeper_refresh(ml_job_engine(job));
	finish(job, ml_settings_write(settings_of(job), p->name, ml_job_result(job), &err), &err);
}

static void secret_list_run(struct ml_job *job, void *params)
{
	(void)params;
	ml_secrets_write(settings_of(job), ml_job_result(job));
	ml_job_succeed(job);
}

static void secret_set_run(struct ml_job *job, void *params)
{
	const struct secret_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	const int r = ml_secret_set(settings_of(job), p->name, p->value, &err);
	if (r == 0)
		log_change(job, "secret", p->name, "set");
	finish(job, r, &err);
}

static void secret_remove_run(struct ml_job *job, void *params)
{
	const struct name_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	const int r = ml_secret_remove(settings_of(job), p->name, &err);
	if (r == 0)
		log_change(job, "secret", p->name, "removed");
	finish(job, r, &err);
}

const struct ml_command ml_setting_commands[] = {
	{
		.name = "secret.list",
		.title = "List secrets",
		.help = "Lists the names of the secrets and when each was set; never their values.",
		.role = ML_ROLE_ADMIN,
		.run = secret_list_run,
	},
	{
		.name = "secret.remove",
		.title = "Remove a secret",
		.help = "Removes a secret. Nodes that name it fail the next time they need it.",
		.role = ML_ROLE_ADMIN,
		.params = secret_name,
		.params_size = sizeof(struct name_params),
		.run = secret_remove_run,
	},
	{
		.name = "secret.set",
		.title = "Set a secret",
		.help = "Keeps a secret, encrypted under the device key, in the place of one of "
			"the same "
			"name.",
		.role = ML_ROLE_ADMIN,
		.params = secret_value,
		.params_size = sizeof(struct secret_params),
		.run = secret_set_run,
	},
	{
		.name = "setting.get",
		.title = "Get a setting",
		.help = "Gives one setting: its value, its default, whether it was set, and its "
			"schema.",
		.role = ML_ROLE_READ,
		.params = setting_name,
		.params_size = sizeof(struct name_params),
		.run = setting_get_run,
	},
	{
		.name = "setting.list",
		.title = "List settings",
		.help = "Lists all settings with value, default, help and schema.",
		.role = ML_ROLE_READ,
		.run = setting_list_run,
	},
	{
		.name = "setting.set",
		.title = "Set a setting",
		.help = "Changes a setting and gives it back. Nodes that inherit it restart with "
			"the new value, the others go on.",
		.role = ML_ROLE_CONFIGURE,
		.params = setting_value,
		.params_size = sizeof(struct value_params),
		.run = setting_set_run,
	},
	{0},
};
