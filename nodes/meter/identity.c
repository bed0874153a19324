/* Meter numbers, manufacturers and media as text, and the other way.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/identity.h"

#include <string.h>

#include <meterloom/json.h>

static const char hex_digits[] = "0123456789ABCDEF";

static bool parse_hex(const char *text, size_t length, uint32_t *value)
{
	uint32_t result = 0;
	for (size_t i = 0; i < length; i++) {
		const int digit = ml_hex_value(text[i]);
		if (digit < 0)
			return false;
		result = result << 4 | (uint32_t)digit;
	}
	*value = result;
	return length > 0;
}

void meter_id_format(uint32_t id, char out[METER_ID_TEXT_MAX])
{
	for (int i = 0; i < 8; i++)
		out[i] = hex_digits[id >> (28 - 4 * i) & 0xF];
	out[8] = '\0';
}

bool meter_id_parse(const char *text, size_t length, uint32_t *id)
{
	return length <= 8 && parse_hex(text, length, id);
}

static bool has_letters(uint16_t code)
{
	for (int shift = 0; shift <= 10; shift += 5) {
		const int letter = code >> shift & 0x1F;
		if (letter < 1 || letter > 26)
			return false;
	}
	return true;
}

void meter_manufacturer_format(uint16_t code, char out[METER_MANUFACTURER_TEXT_MAX])
{
	if (has_letters(code)) {
		for (int i = 0; i < 3; i++)
			out[i] = (char)('A' - 1 + (code >> (10 - 5 * i) & 0x1F));
		out[3] = '\0';
	} else {
		for (int i = 0; i < 4; i++)
			out[i] = hex_digits[code >> (12 - 4 * i) & 0xF];
		out[4] = '\0';
	}
}

bool meter_manufacturer_parse(const char *text, size_t length, uint16_t *code)
{
	uint32_t value = 0;
	if (length == 4) {
		if (!parse_hex(text, length, &value))
			return false;
	} else if (length == 3) {
		for (size_t i = 0; i < 3; i++) {
			const char upper = (char)(text[i] & ~0x20);
			if (upper < 'A' || upper > 'Z')
				return false;
			value = value << 5 | (uint32_t)(upper - 'A' + 1);
		}
	} else {
		return false;
	}
	*code = (uint16_t)value;
	return true;
}

/* EN 13757-7 table of device types, with the older names of EN 13757-3 where they fit better. */
static const char *const media[256] = {
	[0x00] = "other",
	[0x01] = "oil",
	[0x02] = "electricity",
	[0x03] = "gas",
	[0x04] = "heat",
	[0x05] = "steam",
	[0x06] = "warm-water",
	[0x07] = "water",
	[0x08] = "heat-cost-allocator",
	[0x09] = "compressed-air",
	[0x0A] = "cooling-outlet",
	[0x0B] = "cooling-inlet",
	[0x0C] = "heat-inlet",
	[0x0D] = "heat-cooling",
	[0x0E] = "bus-system",
	[0x0F] = "unknown",
	[0x10] = "irrigation",
	[0x11] = "water-logger",
	[0x12] = "gas-logger",
	[0x13] = "gas-converter",
	[0x14] = "calorific-value",
	[0x15] = "hot-water",
	[0x16] = "cold-water",
	[0x17] = "dual-water",
	[0x18] = "pressure",
	[0x19] = "ad-converter",
	[0x1A] = "smoke-detector",
	[0x1B] = "room-sensor",
	[0x1C] = "gas-detector",
	[0x20] = "breaker",
	[0x21] = "valve",
	[0x25] = "display",
	[0x28] = "waste-water",
	[0x29] = "waste",
	[0x2A] = "carbon-dioxide",
	[0x31] = "communication-controller",
	[0x32] = "unidirectional-repeater",
	[0x33] = "bidirectional-repeater",
	[0x36] = "radio-converter-system",
	[0x37] = "radio-converter-meter",
	[0x38] = "wired-adapter",
};

const char *meter_medium_name(uint8_t code)
{
	return media[code] ? media[code] : "reserved";
}

bool meter_medium_parse(const char *text, size_t length, uint8_t *code)
{
	for (unsigned i = 0; i < 256; i++) {
		if (media[i] && strlen(media[i]) == length && memcmp(media[i], text, length) == 0) {
			*code = (uint8_t)i;
			return true;
		}
	}
	uint32_t value;
	if (length != 2 || !parse_hex(text, length, &value))
		return false;
	*code = (uint8_t)value;
	return true;
}

void meter_identity_read(const uint8_t bytes[8], struct meter_identity *identity)
{
	identity->id = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
		       (uint32_t)bytes[3] << 24;
	identity->manufacturer = (uint16_t)(bytes[4] | bytes[5] << 8);
	identity->version = bytes[6];
	identity->medium = bytes[7];
}

void meter_identity_write(struct meter_identity identity, uint8_t bytes[8])
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(identity.id >> (8 * i));
	bytes[4] = (uint8_t)identity.manufacturer;
	bytes[5] = (uint8_t)(identity.manufacturer >> 8);
	bytes[6] = identity.version;
	bytes[7] = identity.medium;
}

void meter_identity_to_json(struct meter_identity identity, struct ml_json_writer *w)
{
	char id[METER_ID_TEXT_MAX];
	char manufacturer[METER_MANUFACTURER_TEXT_MAX];
	meter_id_format(identity.id, id);
	meter_manufacturer_format(identity.manufacturer, manufacturer);
	ml_json_key(w, "id");
	ml_json_string(w, id);
	ml_json_key(w, "manufacturer");
	ml_json_string(w, manufacturer);
	ml_json_key(w, "version");
	ml_json_integer(w, identity.version);
	ml_json_key(w, "medium");
	ml_json_string(w, meter_medium_name(identity.medium));
	ml_json_key(w, "medium_code");
	ml_json_integer(w, identity.medium);
}
