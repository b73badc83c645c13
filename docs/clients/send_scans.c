/* Sends 300 scans (wire version 2) to the bridge:  cc send_scans.c -lzmq && ./a.out tcp://127.0.0.1:5710
 * From another computer with keys, see docs/keys.md:  SERVER_KEY=... PUBLIC_KEY=... SECRET_KEY=... ./a.out ... */
#define _POSIX_C_SOURCE 199309L
#include <stdlib.h>
#include <time.h>
#include <zmq.h>
#include "scan_message.h"

enum { ROWS = 256, COLS = 256, PERIOD_NS = 33333333 };

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Encrypts what `socket` connects to; the keys are the 40 characters in the files of `rtdecode keys`. */
static int use_keys(void *socket) {
    const char *server = getenv("SERVER_KEY"), *public_key = getenv("PUBLIC_KEY"), *secret = getenv("SECRET_KEY");
    if (!server || !public_key || !secret) return 0;
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server, 40)
        || zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 40)
        || zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, 40);
}

int main(int argc, char **argv) {
    void *context = zmq_ctx_new(), *push = zmq_socket(context, ZMQ_PUSH);
    uint16_t *pixels = calloc(ROWS * COLS, sizeof *pixels);
    uint8_t *message = malloc(2 * ROWS * COLS + 512);
    if (argc < 2 || !pixels || !message || use_keys(push) || zmq_connect(push, argv[1])) return 1;
    for (int64_t scan = 0; scan < 300; scan++) {
        struct timespec pause = {0, PERIOD_NS};
        nanosleep(&pause, NULL);
        for (int i = 0; i < ROWS * COLS; i++) pixels[i] = (uint16_t)(200 + rand() % 50);
        int64_t end = now_ns();
        size_t size = scan_message(message, pixels, ROWS, COLS, scan, end - PERIOD_NS, end);
        if (zmq_send(push, message, size, 0) < 0) return 1;
    }
    zmq_close(push);
    zmq_ctx_term(context); /* waits until all is sent */
    return 0;
}
