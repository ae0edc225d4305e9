/* Trains and predicts with the functions of network.h on arrays in .npy files. Needs nothing but libc. */
#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(NETWORK_ARENA_ALIGNMENT) unsigned char arena[NETWORK_ARENA_BYTES];
static unsigned char saved[NETWORK_SAVED_BYTES];

static void fail(const char *file, const char *what) {
    fprintf(stderr, "%s: %s\n", file, what);
    exit(1);
}

static size_t read_file(const char *file, unsigned char **bytes) {
    FILE *in = fopen(file, "rb");
    if (!in || fseek(in, 0, SEEK_END)) fail(file, "cannot be read");
    long size = ftell(in);
    rewind(in);
    *bytes = malloc(size > 0 ? (size_t)size : 1);
    if (size < 0 || !*bytes || fread(*bytes, 1, (size_t)size, in) != (size_t)size) fail(file, "cannot be read");
    fclose(in);
    return (size_t)size;
}

static void write_file(const char *file, const char *head, size_t head_size, const void *bytes, size_t size) {
    FILE *out = fopen(file, "wb");
    if (!out || fwrite(head, 1, head_size, out) != head_size || fwrite(bytes, 1, size, out) != size || fclose(out))
        fail(file, "cannot be written");
}

/* An array as doubles, which hold every float and every 32-bit integer. */
typedef struct {
    const char *file;
    double *values;
    size_t count;
} array;

static array read_npy(const char *file) {
    unsigned char *bytes;
    size_t size = read_file(file, &bytes);
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6)) fail(file, "is no .npy file");
    size_t head = bytes[6] == 1 ? 10 : 12;
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] != 1) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > size - head) fail(file, "is cut short");
    char *text = malloc(length + 1);
    if (!text) fail(file, "is too large");
    memcpy(text, bytes + head, length);
    text[length] = 0;
    if (strstr(text, "'fortran_order': True")) fail(file, "is in column order; save it in row order");
    static const char *const kinds[] = {"<f4", "<f8", "<i4", "<i8", "|u1"};
    static const size_t sizes[] = {4, 8, 4, 8, 1};
    int kind = 0;
    while (kind < 5 && !strstr(text, kinds[kind])) kind++;
    if (kind == 5) fail(file, "holds other elements than float32, float64, int32, int64 or uint8");
    array a = {file, 0, (size - head - length) / sizes[kind]};
    a.values = malloc((a.count + 1) * sizeof(double));
    if (!a.values) fail(file, "is too large");
    for (size_t i = 0; i < a.count; i++) {
        const unsigned char *at = bytes + head + length + i * sizes[kind];
        float f;
        int32_t n;
        int64_t wide;
        switch (kind) {
        case 0: memcpy(&f, at, 4); a.values[i] = f; break;
        case 1: memcpy(&a.values[i], at, 8); break;
        case 2: memcpy(&n, at, 4); a.values[i] = n; break;
        case 3: memcpy(&wide, at, 8); a.values[i] = (double)wide; break;
        default: a.values[i] = *at;
        }
    }
    free(text);
    free(bytes);
    return a;
}

/* The samples of an array, of which a minibatch of `batch` has `elements` elements. */
static size_t samples(array a, size_t elements, size_t batch) {
    size_t row = elements / batch;
    if (a.count == 0 || a.count % row) {
        fprintf(stderr, "%s: has %zu elements; a sample has %zu\n", a.file, a.count, row);
        exit(1);
    }
    return a.count / row;
}

static const char *option(int *count, char **words, const char *name) {
    for (int i = 0; i + 1 < *count; i++)
        if (!strcmp(words[i], name)) {
            const char *value = words[i + 1];
            memmove(words + i, words + i + 2, (size_t)(*count - i - 2) * sizeof *words);
            *count -= 2;
            return value;
        }
    return 0;
}

static void load(const char *file) {
    unsigned char *bytes;
    if (read_file(file, &bytes) != NETWORK_SAVED_BYTES || network_load(arena, bytes))
        fail(file, "holds no weights of this network");
    free(bytes);
}

/* Element i of the minibatch that begins at sample `first`; past the last sample the first follows. */
#define FILL(name, type, elements) \
    for (size_t i = 0; i < elements; i++) \
        of_##name[i] = (type)array_##name.values[(first * (elements / batch) + i) % array_##name.count];
#define READ(name, type, elements) \
    static type of_##name[elements]; \
    array array_##name = read_npy(words[next++]); \
    if (samples(array_##name, elements, batch) != count && count) fail(array_##name.file, "has another number of samples"); \
    count = samples(array_##name, elements, batch);
#define PASS(name, type, elements) of_##name,
#define PASS_NUMBER(name) name,
#define ONE(...) +1
#define USAGE(name, type, elements) " " #name ".npy"

static int train(int words_count, char **words) {
    const char *seed = option(&words_count, words, "--seed"), *from = option(&words_count, words, "--from");
    const char *to = option(&words_count, words, "--save"), *updates = option(&words_count, words, "--steps");
    if (words_count != 0 NETWORK_INPUT_LIST(ONE)) return 2;
    const size_t batch = NETWORK_BATCH;
    size_t count = 0;
    int next = 0;
    NETWORK_INPUT_LIST(READ)
    (void)next;
    size_t last = updates ? strtoull(updates, 0, 10) : (count + batch - 1) / batch;
    network_init(arena, seed ? strtoull(seed, 0, 10) : 0);
    if (from) load(from);
    for (size_t step = 0; step < last; step++) {
        size_t first = count ? step * batch % count : 0;
        double steps = (double)last, epoch = count ? (double)(step * batch / count) : 0, share = 1;
        (void)first, (void)steps, (void)epoch, (void)share;
        NETWORK_INPUT_LIST(FILL)
        NETWORK_FLOAT results[NETWORK_RESULTS];
        network_step(arena, NETWORK_INPUT_LIST(PASS) NETWORK_NUMBER_LIST(PASS_NUMBER) results);
        printf("%zu", step + 1);
        for (int i = 0; i < NETWORK_RESULTS; i++) printf(" %.9g", (double)results[i]);
        printf("\n");
    }
    if (to) {
        network_save(arena, saved);
        write_file(to, "", 0, saved, sizeof saved);
    }
    return 0;
}

#ifdef NETWORK_PREDICT_BATCH
static void write_npy(const char *file, const void *values, size_t size, size_t rows, size_t row, const char *kind) {
    char head[128];
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10);
    int used = snprintf(head + 10, 117, "{'descr': '%s', 'fortran_order': False, 'shape': (%zu, %zu), }", kind, rows, row);
    head[10 + used] = ' ';
    head[127] = '\n';
    write_file(file, head, sizeof head, values, size);
}

static const char *kind_of(const char *type) {
    return !strcmp(type, "float") ? "<f4" : !strcmp(type, "double") ? "<f8" : "<i4";
}

#define HOLD(name, type, elements) \
    static type of_##name[elements]; \
    type *all_##name = malloc((count + batch) * (elements / batch) * sizeof(type)); \
    if (!all_##name) fail(#name, "takes more memory than there is");
#define KEEP(name, type, elements) memcpy(all_##name + first * (elements / batch), of_##name, sizeof of_##name);
#define WRITE(name, type, elements) \
    write_npy(words[next++], all_##name, count * (elements / batch) * sizeof(type), count, elements / batch, kind_of(#type)); \
    free(all_##name);
#define PASS_LAST(name, type, elements) , of_##name
#define PASS_ZERO(name) , 0.0
#define PASS_NEXT(name, type, elements) , of_##name

static int predict(int words_count, char **words) {
    const char *weights = option(&words_count, words, "--weights");
    if (!weights || words_count != 0 NETWORK_PREDICT_INPUT_LIST(ONE) NETWORK_PREDICT_OUTPUT_LIST(ONE)) return 2;
    const size_t batch = NETWORK_PREDICT_BATCH;
    size_t count = 0;
    int next = 0;
    NETWORK_PREDICT_INPUT_LIST(READ)
    NETWORK_PREDICT_OUTPUT_LIST(HOLD)
    network_init(arena, 0);
    load(weights);
    for (size_t first = 0; first < count; first += batch) {
        NETWORK_PREDICT_INPUT_LIST(FILL)
        network_predict(arena NETWORK_PREDICT_INPUT_LIST(PASS_NEXT) NETWORK_PREDICT_NUMBER_LIST(PASS_ZERO)
                        NETWORK_PREDICT_OUTPUT_LIST(PASS_LAST));
        NETWORK_PREDICT_OUTPUT_LIST(KEEP)
    }
    NETWORK_PREDICT_OUTPUT_LIST(WRITE)
    return 0;
}
#endif

int main(int count, char **words) {
    int status = 2;
    if (count > 1 && !strcmp(words[1], "train")) status = train(count - 2, words + 2);
#ifdef NETWORK_PREDICT_BATCH
    if (count > 1 && !strcmp(words[1], "predict")) status = predict(count - 2, words + 2);
#endif
    if (status == 2) {
        fprintf(stderr, "%s train" NETWORK_INPUT_LIST(USAGE)
                " [--steps N] [--seed N] [--from W.safetensors] [--save W.safetensors]\n"
                "    updates on minibatches in the order of the files; prints the results of each\n", words[0]);
#ifdef NETWORK_PREDICT_BATCH
        fprintf(stderr, "%s predict --weights W.safetensors" NETWORK_PREDICT_INPUT_LIST(USAGE)
                NETWORK_PREDICT_OUTPUT_LIST(USAGE) "\n    reads the first, writes the last\n", words[0]);
#endif
    }
    return status;
}
