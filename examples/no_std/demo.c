/* Publishes the video of an FLV file with librtmp_firmware.a, as firmware would what its encoder gives:
 *
 *   cargo build --manifest-path examples/no_std/Cargo.toml
 *   cd examples/no_std && cc demo.c target/debug/librtmp_firmware.a -o target/demo
 *   target/demo movie.flv 127.0.0.1 1935 rtmp://127.0.0.1/live/test
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

typedef struct Publisher Publisher;
Publisher *rtmp_new(const char *url, size_t url_len, const uint8_t *random, uint64_t now_ms);
intptr_t rtmp_feed(Publisher *, const uint8_t *bytes, size_t len, uint64_t now_ms);
size_t rtmp_take(Publisher *, uint8_t *out, size_t len);
int32_t rtmp_video(Publisher *, uint32_t timestamp_ms, const uint8_t *body, size_t len);
void rtmp_free(Publisher *);

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static int fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    return 1;
}

/* The next video tag: its body's length, 0 at the end of the file. */
static size_t next_video(FILE *file, uint32_t *timestamp, uint8_t *body, size_t room) {
    uint8_t h[15]; /* the back-pointer before it, and the header */
    while (fread(h, 1, sizeof h, file) == sizeof h) {
        size_t len = h[5] << 16 | h[6] << 8 | h[7];
        *timestamp = (uint32_t)h[11] << 24 | h[8] << 16 | h[9] << 8 | h[10];
        if (len > room || fread(body, 1, len, file) != len)
            return 0;
        if (h[4] == 9)
            return len;
    }
    return 0;
}

/* Writes what waits. */
static int flush(Publisher *p, int s) {
    uint8_t out[4096];
    for (size_t n; (n = rtmp_take(p, out, sizeof out)) > 0;)
        for (size_t sent = 0; sent < n;) {
            ssize_t count = write(s, out + sent, n - sent);
            if (count <= 0)
                return -1;
            sent += count;
        }
    return 0;
}

int main(int argc, char **argv) {
    static uint8_t body[1 << 20], in[4096];
    uint8_t random[32];
    struct sockaddr_in to = {.sin_family = AF_INET};
    FILE *file = argc == 5 ? fopen(argv[1], "rb") : NULL;
    if (!file || fseek(file, 9, SEEK_SET) || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
        return fail("usage: demo FILE.flv IPV4-ADDRESS PORT URL");
    to.sin_port = htons(atoi(argv[3]));
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&to, sizeof to))
        return fail("cannot connect");
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return fail("no random bytes");
    Publisher *p = rtmp_new(argv[4], strlen(argv[4]), random, now());
    if (!p)
        return fail("not an RTMP URL");
    uint32_t timestamp = 0;
    uint64_t start = 0;
    size_t len = next_video(file, &timestamp, body, sizeof body);
    ssize_t got = 0, used = 0;
    while (len) {
        if (flush(p, s))
            return fail("cannot write");
        struct pollfd wait = {.fd = s, .events = POLLIN};
        if (got == used && poll(&wait, 1, 5) > 0) {
            got = read(s, in, sizeof in);
            used = 0;
            if (got <= 0)
                return fail("the server hung up");
        }
        intptr_t took = rtmp_feed(p, in + used, got - used, now());
        if (took < 0)
            return fail("the session has ended");
        used += took;
        if (now() >= start + timestamp && rtmp_video(p, timestamp, body, len) == 0) {
            if (!start)
                start = now() - timestamp;
            len = next_video(file, &timestamp, body, sizeof body);
        }
    }
    int failed = flush(p, s);
    rtmp_free(p);
    close(s);
    return failed ? fail("cannot write") : 0;
}
