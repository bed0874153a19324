/* What a point may be set to, and in what words.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "meter/list_private.h"

static const char *const mode_names[] = {"primary", "secondary", "esecondary"};
static const char *const multi_names[] = {"bus", "off", "auto"};

const char *meter_mode_name(unsigned mode)
{
	return mode < sizeof mode_names / sizeof *mode_names ? mode_names[mode] : "unknown";
}

const char *meter_multi_name(unsigned multi)
{
	return multi < sizeof multi_names / sizeof *multi_names ? multi_names[multi] : "unknown";
}

static bool parse_name(const char *const *names, size_t count, const char *text, uint8_t *result)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(names[i], text) == 0) {
			*result = (uint8_t)i;
			return true;
		}
	}
	return false;
}

uint8_t meter_settings_natural_mode(const struct meter_settings *settings)
{
	if (settings->has_secondary)
		return METER_MODE_SECONDARY;
	if (settings->has_enhanced)
		return METER_MODE_ESECONDARY;
	return settings->has_primary ? METER_MODE_PRIMARY : METER_MODE_SECONDARY;
}

bool meter_mode_parse(const char *text, uint8_t *mode)
{
	return parse_name(mode_names, sizeof mode_names / sizeof *mode_names, text, mode);
}

bool meter_multi_parse(const char *text, uint8_t *multi)
{
	return parse_name(multi_names, sizeof multi_names / sizeof *multi_names, text, multi);
}

void meter_point_name(const struct meter_point *point, char name[METER_POINT_NAME_MAX])
{
	if (point->settings.moid[0])
		(void)snprintf(
			name, METER_POINT_NAME_MAX, "#%u \"%s\"", point->key, point->settings.moid);
	else
		(void)snprintf(name, METER_POINT_NAME_MAX, "#%u", point->key);
}

bool meter_baud_valid(int64_t baud)
{
	static const int rates[] = {300, 600, 1200, 2400, 4800, 9600, 19200, 38400};
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
		if (rates[i] == baud)
			return true;
	return false;
}

int meter_text_set(
	char *field, size_t size, const char *what, const char *text, struct ml_error *err)
{
	const size_t length = strlen(text);
	if (length >= size)
		return ml_error_set(err, -EINVAL, "%s: %zu bytes, expected at most %zu", what,
			length, size - 1);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			return ml_error_set(err, -EINVAL,
				"%s: there is a control character at byte %zu", what, i);
	memset(field, 0, size);
	memcpy(field, text, length);
	return 0;
}

int meter_settings_check(const struct meter_settings *settings, struct ml_error *err)
{
	switch (settings->mode) {
	case METER_MODE_PRIMARY:
		if (!settings->has_primary)
			return ml_error_set(err, -EINVAL,
				"addressing mode primary needs a primary address (0 to 255)");
		break;
	case METER_MODE_SECONDARY:
		if (!settings->has_secondary)
			return ml_error_set(err, -EINVAL,
				"addressing mode secondary needs a secondary address (8 digits)");
		break;
	case METER_MODE_ESECONDARY:
		if (!settings->has_secondary && !settings->has_enhanced)
			return ml_error_set(err, -EINVAL,
				"addressing mode esecondary needs an enhanced or a secondary "
				"address");
		break;
	default:
		return ml_error_set(
			err, -EINVAL, "addressing mode: expected primary, secondary or esecondary");
	}
	if (settings->baud && !meter_baud_valid(settings->baud))
		return ml_error_set(err, -EINVAL,
			"baud rate %u: expected 300, 600, 1200, 2400, 4800, 9600, 19200 or 38400",
			settings->baud);
	return 0;
}

static const struct meter_identity *selection(const struct meter_settings *settings)
{
	if (settings->mode == METER_MODE_ESECONDARY && settings->has_enhanced)
		return &settings->enhanced;
	return settings->has_secondary ? &settings->secondary : NULL;
}

bool meter_point_selection(const struct meter_point *point, uint8_t bytes[8])
{
	const struct meter_identity *address = selection(&point->settings);
	if (address)
		meter_identity_write(*address, bytes);
	return address != NULL;
}

bool meter_point_selects(const struct meter_point *point, struct meter_identity identity)
{
	const struct meter_identity *address = selection(&point->settings);
	return point->settings.mode != METER_MODE_PRIMARY && address &&
	       meter_identity_matches(identity, *address);
}

bool meter_settings_same_address(const struct meter_settings *a, const struct meter_settings *b)
{
	if (strcmp(a->bus, b->bus) != 0 || a->mode != b->mode)
		return false;
	if (a->mode == METER_MODE_PRIMARY)
		return a->primary == b->primary;
	const struct meter_identity *first = selection(a);
	const struct meter_identity *second = selection(b);
	return first && second && meter_identity_equal(*first, *second);
}

bool meter_settings_equal(const struct meter_settings *a, const struct meter_settings *b)
{
	return strcmp(a->moid, b->moid) == 0 && strcmp(a->bus, b->bus) == 0 && a->baud == b->baud &&
	       a->mode == b->mode && a->multi == b->multi && a->passive == b->passive &&
	       a->telegram_limit == b->telegram_limit && a->multi_timeout == b->multi_timeout &&
	       a->has_multi_retries == b->has_multi_retries &&
	       a->multi_retries == b->multi_retries && a->has_selection == b->has_selection &&
	       a->telegram_selection == b->telegram_selection && a->has_primary == b->has_primary &&
	       a->primary == b->primary && a->has_secondary == b->has_secondary &&
	       meter_identity_equal(a->secondary, b->secondary) &&
	       a->has_enhanced == b->has_enhanced && meter_identity_equal(a->enhanced, b->enhanced);
}

void meter_settings_address(
	const struct meter_settings *settings, char out[METER_ADDRESS_WORDS_MAX])
{
	char where[METER_BUS_MAX + 16] = "";
	if (settings->bus[0])
		(void)snprintf(where, sizeof where, " on bus \"%s\"", settings->bus);
	if (settings->mode == METER_MODE_PRIMARY) {
		(void)snprintf(out, METER_ADDRESS_WORDS_MAX, "primary address %u%s",
			settings->primary, where);
		return;
	}
	char text[METER_SECONDARY_TEXT_MAX] = "none";
	const struct meter_identity *address = selection(settings);
	if (address)
		meter_secondary_format(*address, text);
	(void)snprintf(out, METER_ADDRESS_WORDS_MAX, "%s address %s%s",
		settings->mode == METER_MODE_ESECONDARY ? "enhanced" : "secondary", text, where);
}
