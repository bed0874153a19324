/* The content of a reading taken apart for the columns of a chunk, and put together again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/chunk_content.h"

#include "meter/reading.h"

/* As values.c writes them. */
enum {
	HEAD_ENCRYPTION = 1,
	HEAD_CONFIGURATION = 2,
	HEAD_ERROR = 4,
	HEAD_ADDRESS = METER_HAS_ADDRESS << 3,
	TOKEN_NONE = 0,
	TOKEN_NUMBER = 1,
	TOKEN_DATE = 2,
	TOKEN_DATE_TIME = 3,
	TOKEN_TIME = 4,
	RAW_TIME = 8, /* bytes */
	MONTHS = 12,
	DAYS = 31, /* each month is taken to have so many: within one, dates go on evenly */
	DAY_SECONDS = 86400,
};

static void give(struct chunk_bytes *out, uint64_t value)
{
	chunk_leb(out, value);
}

static bool same(const struct chunk_bytes *bytes, const uint8_t *at, const uint8_t *end)
{
	return bytes->length == (size_t)(end - at) && memcmp(bytes->at, at, bytes->length) == 0;
}

/* ---- Dates as numbers that go on evenly ---- */

static bool days_of(uint64_t packed, uint64_t *days)
{
	const uint64_t day = packed & 63, month = packed >> 6 & 15, year = packed >> 10;
	if (day < 1 || day > DAYS || month < 1 || month > MONTHS || year > UINT16_MAX)
		return false;
	*days = (year * MONTHS + month - 1) * DAYS + day - 1;
	return true;
}

static uint64_t date_of(uint64_t days)
{
	const uint64_t months = days / DAYS;
	return months / MONTHS << 10 | (months % MONTHS + 1) << 6 | (days % DAYS + 1);
}

static bool seconds_of(uint64_t packed, uint64_t *seconds, uint64_t *flags)
{
	const uint64_t hour = packed >> 12 & 31, minute = packed >> 6 & 63, second = packed & 63;
	*flags = packed >> 17;
	*seconds = (hour * 60 + minute) * 60 + second;
	return hour < 24 && minute < 60 && second < 60;
}

static uint64_t time_of(uint64_t seconds, uint64_t flags)
{
	return flags << 17 | seconds / 3600 << 12 | seconds / 60 % 60 << 6 | seconds % 60;
}

/* ---- Tokens ---- */

/* What follows a token's number, and what class that makes it. */
static enum chunk_class look_behind(struct store_in *in, uint64_t number, struct chunk_token *token)
{
	const uint64_t above = number >> 4;
	uint64_t flags = 0;
	uint64_t seconds = 0;
	switch (number >> 1 & 7) {
	case TOKEN_NONE:
		return above ? CHUNK_IS_OTHER : CHUNK_IS_NONE;
	case TOKEN_NUMBER:
		token->extra = above;
		token->value = (uint64_t)store_unzigzag(store_get(in));
		return CHUNK_IS_SCALED;
	case TOKEN_DATE:
		if (above == 1)
			(void)store_get_bytes(in, RAW_TIME);
		else if (days_of(store_get(in), &token->value) && !above)
			return CHUNK_IS_DAY;
		return CHUNK_IS_OTHER;
	case TOKEN_DATE_TIME: {
		if (above == 1) {
			(void)store_get_bytes(in, RAW_TIME);
			return CHUNK_IS_OTHER;
		}
		const bool date = days_of(store_get(in), &token->value);
		const bool time = seconds_of(store_get(in), &seconds, &flags);
		token->value = token->value * DAY_SECONDS + seconds;
		token->extra = flags;
		return date && time && !above ? CHUNK_IS_MOMENT : CHUNK_IS_OTHER;
	}
	case TOKEN_TIME:
		if (above == 1)
			(void)store_get_bytes(in, RAW_TIME);
		else
			(void)store_get(in);
		return CHUNK_IS_OTHER;
	default:
		if (above > SIZE_MAX)
			in->bad = true;
		else
			(void)store_get_bytes(in, (size_t)above);
		return CHUNK_IS_OTHER;
	}
}

bool chunk_token_take(struct store_in *in, struct chunk_token *token)
{
	uint8_t memory[40]; /* no token that is not kept as it is comes out longer */
	struct chunk_bytes again = {.at = memory, .capacity = sizeof memory};
	const uint8_t *start = in->at;
	const uint64_t number = store_get(in);
	*token = (struct chunk_token){.class = CHUNK_IS_NUMBER};
	if (number & 1)
		token->class = look_behind(in, number, token);
	else
		token->value = (uint64_t)store_unzigzag(number >> 1);
	if (in->bad)
		return false;
	token->text = (struct chunk_text){.at = start, .length = (uint32_t)(in->at - start)};
	/* A number that was written longer than it need be must come out so. */
	if (token->class != CHUNK_IS_OTHER) {
		chunk_token_give(&again, token);
		if (!same(&again, start, in->at))
			token->class = CHUNK_IS_OTHER;
	}
	return true;
}

static void give_odd(struct chunk_bytes *out, unsigned kind, uint64_t above)
{
	give(out, above << 4 | (uint64_t)kind << 1 | 1);
}

void chunk_token_give(struct chunk_bytes *out, const struct chunk_token *token)
{
	switch (token->class) {
	case CHUNK_IS_NUMBER:
		give(out, store_zigzag((int64_t)token->value) << 1);
		break;
	case CHUNK_IS_NONE:
		give_odd(out, TOKEN_NONE, 0);
		break;
	case CHUNK_IS_SCALED:
		give_odd(out, TOKEN_NUMBER, token->extra);
		give(out, store_zigzag((int64_t)token->value));
		break;
	case CHUNK_IS_DAY:
		give_odd(out, TOKEN_DATE, 0);
		give(out, date_of(token->value));
		break;
	case CHUNK_IS_MOMENT:
		give_odd(out, TOKEN_DATE_TIME, 0);
		give(out, date_of(token->value / DAY_SECONDS));
		give(out, time_of(token->value % DAY_SECONDS, token->extra));
		break;
	default:
		chunk_append(out, token->text.at, token->text.length);
	}
}

/* ---- Head and error ---- */

bool chunk_head_has(uint64_t head, enum chunk_field field)
{
	switch (field) {
	case CHUNK_ADDRESS:
		return head & HEAD_ADDRESS;
	case CHUNK_ENCRYPTION:
	case CHUNK_MODE:
		return head & HEAD_ENCRYPTION;
	case CHUNK_CONFIGURATION:
		return head & HEAD_CONFIGURATION;
	case CHUNK_ERROR_AT:
	case CHUNK_ERROR_TEXT:
		return head & HEAD_ERROR;
	default:
		return true;
	}
}

bool chunk_head_take(struct store_in *in, struct chunk_head *head)
{
	uint8_t memory[32];
	struct chunk_bytes again = {.at = memory, .capacity = sizeof memory};
	const uint8_t *start = in->at;
	*head = (struct chunk_head){.error = {NULL, 0}};
	const uint64_t bits = store_get(in);
	head->fields[CHUNK_HEAD] = bits;
	for (unsigned f = CHUNK_CI; f <= CHUNK_MODE; f++)
		if (chunk_head_has(bits, (enum chunk_field)f))
			head->fields[f] = store_get_byte(in);
	if (chunk_head_has(bits, CHUNK_CONFIGURATION))
		head->fields[CHUNK_CONFIGURATION] = store_get(in);
	if (in->bad)
		return false;
	chunk_head_give(&again, head);
	return same(&again, start, in->at);
}

void chunk_head_give(struct chunk_bytes *out, const struct chunk_head *head)
{
	const uint64_t bits = head->fields[CHUNK_HEAD];
	give(out, bits);
	for (unsigned f = CHUNK_CI; f <= CHUNK_MODE; f++)
		if (chunk_head_has(bits, (enum chunk_field)f))
			chunk_byte(out, (uint8_t)head->fields[f]);
	if (chunk_head_has(bits, CHUNK_CONFIGURATION))
		give(out, head->fields[CHUNK_CONFIGURATION]);
}

bool chunk_error_take(struct store_in *in, struct chunk_head *head)
{
	uint8_t memory[24];
	struct chunk_bytes again = {.at = memory, .capacity = sizeof memory};
	const uint8_t *start = in->at;
	const uint64_t at = store_get(in);
	const uint64_t length = store_get(in);
	const uint8_t *text_at = in->at;
	if (in->bad || length > UINT32_MAX || !store_get_bytes(in, (size_t)length))
		return false;
	head->fields[CHUNK_ERROR_AT] = (uint64_t)store_unzigzag(at);
	head->error = (struct chunk_text){.at = text_at, .length = (uint32_t)length};
	give(&again, at);
	give(&again, length);
	return same(&again, start, text_at);
}

void chunk_error_give(struct chunk_bytes *out, const struct chunk_head *head)
{
	give(out, store_zigzag((int64_t)head->fields[CHUNK_ERROR_AT]));
	give(out, head->error.length);
	chunk_append(out, head->error.at, head->error.length);
}

bool chunk_content_fits(const uint8_t *content, size_t length, unsigned records)
{
	struct store_in in = {.at = content, .end = content + length};
	struct chunk_head head;
	struct chunk_token token;
	if (!chunk_head_take(&in, &head))
		return false;
	for (unsigned i = 0; i < records; i++)
		if (!chunk_token_take(&in, &token))
			return false;
	if (chunk_head_has(head.fields[CHUNK_HEAD], CHUNK_ERROR_TEXT) &&
		!chunk_error_take(&in, &head))
		return false;
	return in.at == in.end;
}
