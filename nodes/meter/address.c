/* Secondary addresses as text, with the wildcards of a selection.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "meter/list.h"

static const char expected[] =
	"expected 8 digits (12345678), 12345678.KAM.1B.04, or the 16 hex digits of all 8 bytes";

static bool parse_byte(const char *text, size_t length, uint8_t *value)
{
	unsigned result = 0;
	if (length != 2)
		return false;
	for (size_t i = 0; i < length; i++) {
		const char c = text[i];
		unsigned digit;
		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A') + 10;
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return false;
		result = result << 4 | digit;
	}
	*value = (uint8_t)result;
	return true;
}

/* The 16 digits: the id as it is read, then the bytes in their order on the bus. */
static bool parse_whole(const char *text, struct meter_identity *address)
{
	uint8_t low = 0, high = 0;
	if (!meter_id_parse(text, 8, &address->id) || !parse_byte(text + 8, 2, &low) ||
		!parse_byte(text + 10, 2, &high) || !parse_byte(text + 12, 2, &address->version) ||
		!parse_byte(text + 14, 2, &address->medium))
		return false;
	address->manufacturer = (uint16_t)(low | high << 8);
	return true;
}

static bool is_any(const char *text, size_t length)
{
	return length == 1 && text[0] == '*';
}

/* One part between points; `index` 1 to 3. */
static bool parse_part(
	unsigned index, const char *text, size_t length, struct meter_identity *address)
{
	if (is_any(text, length))
		return true;
	switch (index) {
	case 1:
		return meter_manufacturer_parse(text, length, &address->manufacturer);
	case 2:
		return parse_byte(text, length, &address->version);
	case 3:
		return parse_byte(text, length, &address->medium) ||
		       meter_medium_parse(text, length, &address->medium);
	default:
		return false;
	}
}

int meter_secondary_parse(
	const char *text, size_t length, struct meter_identity *address, struct ml_error *err)
{
	struct meter_identity found = {
		.manufacturer = METER_ANY_MANUFACTURER,
		.version = METER_ANY_VERSION,
		.medium = METER_ANY_MEDIUM,
	};
	const char *const end = text + length;
	const char *point = memchr(text, '.', length);
	bool ok;
	if (length == 16 && !point) {
		ok = parse_whole(text, &found);
	} else {
		const char *part_end = point ? point : end;
		ok = meter_id_parse(text, (size_t)(part_end - text), &found.id);
		for (unsigned index = 1; ok && point; index++) {
			const char *part = point + 1;
			point = memchr(part, '.', (size_t)(end - part));
			part_end = point ? point : end;
			ok = parse_part(index, part, (size_t)(part_end - part), &found);
		}
	}
	if (!ok)
		return ml_error_set(err, -EINVAL, "secondary address \"%.*s\": %s",
			(int)(length < 40 ? length : 40), text, expected);
	if (found.id == UINT32_MAX)
		return ml_error_set(err, -EINVAL,
			"secondary address \"%.*s\": it selects every meter; give at least one "
			"digit",
			(int)(length < 40 ? length : 40), text);
	*address = found;
	return 0;
}

size_t meter_secondary_format(struct meter_identity address, char out[METER_SECONDARY_TEXT_MAX])
{
	char id[METER_ID_TEXT_MAX];
	char manufacturer[METER_MANUFACTURER_TEXT_MAX] = "*";
	char version[3] = "*", medium[3] = "*";
	meter_id_format(address.id, id);
	int length;
	if (address.manufacturer == METER_ANY_MANUFACTURER &&
		address.version == METER_ANY_VERSION && address.medium == METER_ANY_MEDIUM) {
		length = snprintf(out, METER_SECONDARY_TEXT_MAX, "%s", id);
	} else {
		if (address.manufacturer != METER_ANY_MANUFACTURER)
			meter_manufacturer_format(address.manufacturer, manufacturer);
		if (address.version != METER_ANY_VERSION)
			(void)snprintf(version, sizeof version, "%02X", address.version);
		if (address.medium != METER_ANY_MEDIUM)
			(void)snprintf(medium, sizeof medium, "%02X", address.medium);
		length = snprintf(out, METER_SECONDARY_TEXT_MAX, "%s.%s.%s.%s", id, manufacturer,
			version, medium);
	}
	return length > 0 ? (size_t)length : 0;
}

bool meter_identity_matches(struct meter_identity identity, struct meter_identity address)
{
	for (unsigned shift = 0; shift < 32; shift += 4) {
		const uint32_t wanted = address.id >> shift & 0xF;
		if (wanted != 0xF && wanted != (identity.id >> shift & 0xF))
			return false;
	}
	return (address.manufacturer == METER_ANY_MANUFACTURER ||
		       address.manufacturer == identity.manufacturer) &&
	       (address.version == METER_ANY_VERSION || address.version == identity.version) &&
	       (address.medium == METER_ANY_MEDIUM || address.medium == identity.medium);
}
