/* The outbox: folders of rendered documents.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/files.h>

#include "store/manifest.h"
#include "store/outstanding.h"
#include "store/writer.h"

struct store_outbox {
	struct ml_engine *engine;
	const struct ml_files *files;
	char folder[STORE_OUTBOX_PATH_MAX];
	bool temporary;
	bool tidied;
};

enum { PLACE_MAX = METER_DOCUMENT_PATH_MAX };

struct store_outbox *store_outbox(struct ml_engine *engine)
{
	return ml_service(engine, STORE_OUTBOX_SERVICE);
}

static bool is_key(const char *text, size_t length)
{
	return length == METER_DELIVERY_KEY_MAX - 1 &&
	       strspn(text, "0123456789abcdef") >= METER_DELIVERY_KEY_MAX - 1;
}

/* ---- What is written ---- */

struct place {
	char key[PLACE_MAX];  /* the key's folder */
	char node[PLACE_MAX]; /* what is kept */
	char part[PLACE_MAX]; /* what is being written */
};

static int find_place(const struct meter_delivery *delivery, const char *node, struct place *place,
	struct ml_error *err)
{
	const struct store_outbox *outbox = meter_delivery_user(delivery);
	const int length = snprintf(place->key, sizeof place->key, "%s/%s", outbox->folder,
		meter_delivery_key(delivery));
	/* Room for the files' names behind the folder. */
	if (length < 0 || (size_t)length + strlen(node) + 64 > sizeof place->part ||
		strchr(node, '/'))
		return ml_error_set(
			err, -ENAMETOOLONG, "the outbox has no place for '%.40s'", node);
	(void)snprintf(place->node, sizeof place->node, "%.*s/%.64s", length, place->key, node);
	(void)snprintf(
		place->part, sizeof place->part, "%.*s/%.64s.part", length, place->key, node);
	return 0;
}

static int outbox_begin(
	const struct meter_delivery *delivery, const char *node, char *folder, struct ml_error *err)
{
	const struct store_outbox *outbox = meter_delivery_user(delivery);
	struct place place = {0};
	int result = find_place(delivery, node, &place, err);
	if (result == 0)
		result = ml_files_make_folders(outbox->files, place.key, 0700, err);
	if (result < 0)
		return result;
	result = ml_files_remove_tree(outbox->files, place.part);
	if (result == 0)
		result = outbox->files->make_folder(outbox->files->user, place.part, 0700);
	if (result < 0)
		return ml_error_set(err, result, "%s: the folder cannot be made: %s", place.part,
			strerror(-result));
	(void)snprintf(folder, METER_DOCUMENT_PATH_MAX, "%s", place.part);
	return 0;
}

static int give_name(
	const struct store_outbox *outbox, const struct place *place, struct ml_error *err)
{
	const struct ml_files *files = outbox->files;
	int result = files->sync_folder(files->user, place->part);
	if (result == 0)
		result = files->rename(files->user, place->part, place->node, false);
	if (result < 0) {
		(void)ml_files_remove_tree(files, place->part);
		return ml_error_set(
			err, result, "%s: cannot be kept: %s", place->node, strerror(-result));
	}
	result = files->sync_folder(files->user, place->key);
	if (result < 0) {
		(void)ml_files_remove_tree(files, place->node);
		return ml_error_set(
			err, result, "%s: cannot be kept: %s", place->node, strerror(-result));
	}
	return 0;
}

static void move_documents(
	struct meter_document *documents, size_t count, const struct place *place)
{
	for (size_t i = 0; i < count; i++) {
		struct meter_document *document = &documents[i];
		char file[METER_DOCUMENT_NAME_MAX];
		const char *slash = strrchr(document->path, '/');
		(void)snprintf(file, sizeof file, "%s", slash ? slash + 1 : document->path);
		(void)snprintf(document->path, sizeof document->path, "%.*s/%s",
			(int)(sizeof document->path - sizeof file - 2), place->node, file);
		document->kept = true;
	}
}

static int outbox_keep(const struct meter_delivery *delivery, const char *node,
	struct meter_document *documents, size_t count, struct ml_error *err)
{
	const struct store_outbox *outbox = meter_delivery_user(delivery);
	struct ml_buffer manifest = {0};
	struct place place = {0};
	char path[PLACE_MAX + 32];
	int result = find_place(delivery, node, &place, err);
	if (result < 0)
		return result;
	store_manifest_write(&manifest, documents, count);
	(void)snprintf(path, sizeof path, "%s/" STORE_MANIFEST_NAME, place.part);
	result = manifest.failed ? ml_error_set(err, -ENOMEM, "out of memory")
				 : ml_files_write_new(outbox->files, path, 0600, manifest.data,
					   manifest.length, err);
	ml_buffer_free(&manifest);
	if (result < 0) {
		(void)ml_files_remove_tree(outbox->files, place.part);
		return result;
	}
	result = give_name(outbox, &place, err);
	if (result == 0)
		move_documents(documents, count, &place);
	return result;
}

static void outbox_drop(const struct meter_delivery *delivery, const char *node)
{
	const struct store_outbox *outbox = meter_delivery_user(delivery);
	struct place place = {0};
	if (find_place(delivery, node, &place, NULL) == 0)
		(void)ml_files_remove_tree(outbox->files, place.part);
}

/* ---- What is there ---- */

static int hash_file(const struct ml_files *files, const char *path, uint64_t *size,
	uint8_t hash[METER_DOCUMENT_HASH_SIZE])
{
	unsigned char bytes[8192];
	int64_t n;
	mbedtls_sha256_context sha;
	const int fd = files->open(files->user, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	mbedtls_sha256_init(&sha);
	(void)mbedtls_sha256_starts_ret(&sha, 0);
	for (*size = 0; (n = files->read(files->user, fd, bytes, sizeof bytes)) > 0;
		*size += (uint64_t)n)
		(void)mbedtls_sha256_update_ret(&sha, bytes, (size_t)n);
	(void)mbedtls_sha256_finish_ret(&sha, hash);
	mbedtls_sha256_free(&sha);
	(void)files->close(files->user, fd);
	return n < 0 ? (int)n : 0;
}

/* The documents of a node's folder, with their whole paths. -ENOENT: there is none. */
static int read_folder(const struct store_outbox *outbox, const char *folder,
	struct meter_document **ret_documents, size_t *ret_count, struct ml_error *err)
{
	struct ml_buffer text = {0};
	char path[PLACE_MAX + 32];
	(void)snprintf(path, sizeof path, "%s/" STORE_MANIFEST_NAME, folder);
	int result = ml_files_read(outbox->files, path, STORE_MANIFEST_MAX, &text, err);
	if (result == 0)
		result = store_manifest_read(
			text.data ? text.data : "", text.length, ret_documents, ret_count, err);
	ml_buffer_free(&text);
	for (size_t i = 0; result == 0 && i < *ret_count; i++) {
		struct meter_document *document = &(*ret_documents)[i];
		char file[METER_DOCUMENT_PATH_MAX];
		memcpy(file, document->path, sizeof file);
		const int length = snprintf(
			document->path, sizeof document->path, "%.900s/%.100s", folder, file);
		(void)length;
	}
	return result;
}

/* As they were when they were kept, to the last bit? */
static int verify(const struct store_outbox *outbox, const struct meter_document *documents,
	size_t count, struct ml_error *err)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t hash[METER_DOCUMENT_HASH_SIZE];
		uint64_t size = 0;
		const int result = hash_file(outbox->files, documents[i].path, &size, hash);
		if (result < 0)
			return ml_error_set(
				err, result, "%s: %s", documents[i].path, strerror(-result));
		if (size != documents[i].size || memcmp(hash, documents[i].hash, sizeof hash) != 0)
			return ml_error_set(
				err, -EBADMSG, "%s: is not as it was written", documents[i].path);
	}
	return 0;
}

static int outbox_find(const struct meter_delivery *delivery, const char *node,
	struct meter_document **ret_documents, struct ml_error *err)
{
	const struct store_outbox *outbox = meter_delivery_user(delivery);
	struct ml_error damage = ML_ERROR_NONE;
	struct place place = {0};
	size_t count = 0;
	int result = find_place(delivery, node, &place, err);
	if (result < 0)
		return result;
	*ret_documents = NULL;
	result = read_folder(outbox, place.node, ret_documents, &count, &damage);
	if (result == 0)
		result = verify(outbox, *ret_documents, count, &damage);
	if (result == 0)
		return (int)count;
	free(*ret_documents);
	*ret_documents = NULL;
	if (result == -ENOMEM || result == -EIO || result == -EACCES || result == -EMFILE)
		return ml_error_set(err, result, "%s", damage.text);
	if (damage.code)
		ml_log(ml_engine_log(outbox->engine), ML_LOG_ERROR, "outbox",
			"%s; the report of \"%s\" is rendered anew", damage.text,
			meter_delivery_destination(delivery));
	/* Also a folder without a manifest, which a power cut cannot leave. */
	(void)ml_files_remove_tree(outbox->files, place.node);
	return -ENOENT;
}

static const struct meter_keeper keeper = {
	.find = outbox_find,
	.begin = outbox_begin,
	.keep = outbox_keep,
	.drop = outbox_drop,
};

struct meter_delivery *store_outbox_delivery(struct store_outbox *outbox, const char *destination,
	const char *key, enum meter_delivery_purpose purpose)
{
	return meter_delivery_new(destination, key, purpose, &keeper, outbox);
}

/* ---- Keys ---- */

int store_outbox_draw(
	struct store_outbox *outbox, char key[METER_DELIVERY_KEY_MAX], struct ml_error *err)
{
	uint8_t bytes[(METER_DELIVERY_KEY_MAX - 1) / 2];
	const int result = ml_engine_random(outbox->engine, bytes, sizeof bytes, err);
	for (size_t i = 0; result == 0 && i < sizeof bytes; i++)
		(void)snprintf(key + 2 * i, 3, "%02x", bytes[i]);
	return result;
}

static void remove_entry(struct store_outbox *outbox, const char *name, bool folder)
{
	char path[STORE_OUTBOX_PATH_MAX + 256];
	(void)snprintf(path, sizeof path, "%s/%.250s", outbox->folder, name);
	if (folder)
		(void)ml_files_remove_tree(outbox->files, path);
	else
		(void)outbox->files->remove(outbox->files->user, path);
}

void store_outbox_remove(struct store_outbox *outbox, const char *key)
{
	if (is_key(key, strlen(key)))
		remove_entry(outbox, key, true);
}

struct names {
	struct ml_buffer text; /* 'd' or 'f', the name, NUL */
};

static void add_name(void *context, const char *name, bool folder)
{
	struct names *names = context;
	ml_buffer_append(&names->text, folder ? "d" : "f", 1);
	ml_buffer_append(&names->text, name, strlen(name) + 1);
}

static void add_key(void *user, const char *key)
{
	struct ml_buffer *keys = user;
	ml_buffer_append(keys, key, strlen(key));
	ml_buffer_append(keys, " ", 1);
}

int store_outbox_tidy(struct store_outbox *outbox, sqlite3 *db, struct ml_error *err)
{
	struct ml_buffer keys = {0};
	struct names names = {.text = {0}};
	if (outbox->tidied)
		return 0;
	ml_buffer_append(&keys, " ", 1);
	int result = store_outstanding_keys(db, add_key, &keys, err);
	if (result == 0 && keys.failed)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	if (result == 0 &&
		outbox->files->list(outbox->files->user, outbox->folder, add_name, &names) == 0) {
		for (size_t at = 0; !names.text.failed && at < names.text.length;) {
			const char *entry = names.text.data + at;
			at += strlen(entry) + 1;
			if (!is_key(entry + 1, strlen(entry + 1)) || !strstr(keys.data, entry + 1))
				remove_entry(outbox, entry + 1, *entry == 'd');
		}
	}
	outbox->tidied = result == 0;
	ml_buffer_free(&names.text);
	ml_buffer_free(&keys);
	return result;
}

/* ---- For people ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Calls `each` for all documents of a key, node by node in the order of their names; ends where it
 * gives false. */
static void each_document(const struct store_outbox *outbox, const char *key,
	bool (*each)(void *user, size_t number, const struct meter_document *document), void *user)
{
	struct names names = {.text = {0}};
	const char *nodes[64];
	size_t node_count = 0, number = 0;
	char path[STORE_OUTBOX_PATH_MAX + 128];
	(void)snprintf(path, sizeof path, "%s/%.32s", outbox->folder, key);
	if (outbox->files->list(outbox->files->user, path, add_name, &names) < 0 ||
		names.text.failed)
		goto out;
	for (size_t at = 0; at < names.text.length; at += strlen(names.text.data + at) + 1) {
		const char *entry = names.text.data + at;
		if (*entry == 'd' && !strchr(entry, '.') &&
			node_count < sizeof nodes / sizeof *nodes)
			nodes[node_count++] = entry + 1;
	}
	if (node_count)
		qsort(nodes, node_count, sizeof *nodes, compare_names);
	bool go_on = true;
	for (size_t n = 0; go_on && n < node_count; n++) {
		struct meter_document *documents = NULL;
		size_t count = 0;
		(void)snprintf(path, sizeof path, "%s/%.32s/%.64s", outbox->folder, key, nodes[n]);
		if (read_folder(outbox, path, &documents, &count, NULL) < 0)
			continue;
		for (size_t i = 0; go_on && i < count; i++)
			go_on = each(user, ++number, &documents[i]);
		free(documents);
	}
out:
	ml_buffer_free(&names.text);
}

struct writing {
	struct ml_json_writer *w;
	const char *key;
};

static bool write_document(void *user, size_t number, const struct meter_document *document)
{
	const struct writing *writing = user;
	struct ml_json_writer *w = writing->w;
	ml_json_begin_object(w);
	ml_json_key(w, "document");
	ml_json_stringf(w, "%s.%zu", writing->key, number);
	ml_json_key(w, "name");
	ml_json_string(w, document->name);
	ml_json_key(w, "type");
	ml_json_string(w, document->type);
	ml_json_key(w, "size");
	ml_json_unsigned(w, document->size);
	ml_json_key(w, "sha256");
	ml_json_hex(w, document->hash, sizeof document->hash);
	ml_json_end_object(w);
	return true;
}

void store_outbox_list(struct store_outbox *outbox, const char *key, struct ml_json_writer *w)
{
	struct writing writing = {.w = w, .key = key};
	ml_json_begin_array(w);
	if (is_key(key, strlen(key)))
		each_document(outbox, key, write_document, &writing);
	ml_json_end_array(w);
}

struct looking {
	size_t number;
	struct meter_document *document;
	bool found;
};

static bool look(void *user, size_t number, const struct meter_document *document)
{
	struct looking *looking = user;
	looking->found = number == looking->number;
	if (looking->found)
		*looking->document = *document;
	return !looking->found;
}

int store_outbox_document(struct store_outbox *outbox, const char *name,
	struct meter_document *document, struct ml_error *err)
{
	char key[METER_DELIVERY_KEY_MAX] = "";
	char *end = NULL;
	struct looking looking = {.document = document};
	const char *dot = strchr(name, '.');
	if (dot && is_key(name, (size_t)(dot - name)) && dot[1] >= '1' && dot[1] <= '9')
		looking.number = strtoull(dot + 1, &end, 10);
	if (!end || *end)
		return ml_error_set(err, -EINVAL,
			"\"%.60s\" is no document: expected one that report.list or "
			"report.download names",
			name);
	memcpy(key, name, sizeof key - 1);
	each_document(outbox, key, look, &looking);
	return looking.found
		       ? 0
		       : ml_error_set(err, -ENOENT,
				 "the document %.60s is gone: what is delivered is not kept", name);
}

/* ---- The service ---- */

int store_outbox_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	const char *data = ml_engine_data(engine);
	const char *temporary = getenv("TMPDIR");
	struct store_outbox *outbox = calloc(1, sizeof *outbox);
	if (!outbox)
		return ml_error_set(err, -ENOMEM, "out of memory");
	outbox->engine = engine;
	outbox->files = ml_engine_files(engine);
	outbox->temporary = !data;
	const int length =
		data ? snprintf(outbox->folder, sizeof outbox->folder, "%s/outbox", data)
		     : snprintf(outbox->folder, sizeof outbox->folder, "%s/meterloom-outbox-XXXXXX",
			       temporary && temporary[0] ? temporary : "/tmp");
	int result = 0;
	if (length < 0 || (size_t)length >= sizeof outbox->folder)
		result = ml_error_set(err, -ENAMETOOLONG, "the data directory's path is too long");
	else if (!data && !mkdtemp(outbox->folder))
		result = ml_error_set(
			err, -errno, "%s: cannot be made: %s", outbox->folder, strerror(errno));
	if (result < 0) {
		free(outbox);
		return result;
	}
	struct store_writer *writer = store_writer(engine);
	if (writer && store_writer_ready(writer, NULL) == 0)
		(void)store_outbox_tidy(outbox, writer->db, NULL);
	*ret_service = outbox;
	return 0;
}

void store_outbox_stop(void *service)
{
	struct store_outbox *outbox = service;
	if (outbox->temporary)
		(void)ml_files_remove_tree(outbox->files, outbox->folder);
	free(outbox);
}
